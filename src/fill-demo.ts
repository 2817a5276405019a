/** First start of the demo world: fill the store, fit and train on it, mark it complete. */
import type { Config } from "./config.js";
import { openCore } from "./core.js";
import { fillWorld } from "./demo/fill.js";
import { createDemoWorld } from "./demo/world.js";
import { startProgress } from "./progress.js";
import { readStamp, writeStamp } from "./redis/store-stamp.js";
import type { Logger } from "./telemetry.js";
import { trainDemo } from "./train-demo.js";

export async function fillDemo(config: Config, target: string, logger: Logger): Promise<void> {
  const core = await openCore(config, target, "work", logger);
  try {
    const progress = startProgress("Demo world");
    const found = (await readStamp(core.client))!;
    const stamp = { ...found, worldNow: found.worldNow ?? Date.now() };
    await writeStamp(core.client, stamp);
    const world = createDemoWorld({ now: stamp.worldNow });
    const { catalog, members, ingest } = core;
    await fillWorld(
      world,
      {
        catalog: catalog.store,
        refreshCatalog: () => catalog.refresh(),
        putMember: (id, input) => members.put(id, input),
        ingest: (events) => ingest.ingest(events),
      },
      (share, text) => progress.update(share, text),
    );
    progress.stop();
    await trainDemo(core);
    await writeStamp(core.client, { ...stamp, filled: true });
  } finally {
    await core.close();
  }
}
