/**
 * Makes the models shipped in `models/`: trained on the demo world, small, for machines without
 * XGBoost. Run again whenever a feature changes; a test compares their features with the server's.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../src/config.js";
import { openCore } from "../src/core.js";
import { fillWorld } from "../src/demo/fill.js";
import { createDemoWorld } from "../src/demo/world.js";
import { train } from "../src/job-functions.js";
import { createLogger } from "../src/logger.js";
import { startProgress } from "../src/progress.js";
import { startPrivateRedis } from "../src/redis/private-redis.js";
import type { BenchOptions } from "./support/options.js";

const MODELS = fileURLToPath(new URL("../models/", import.meta.url));
/** Trees of each head and of the ranker: enough for the demo world, about a megabyte in all. */
const ROUNDS = 60;

export async function shipDemoModels({ members }: BenchOptions): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "cuecard-models-"));
  const config = loadConfig({ DATA_DIR: dataDir });
  const logger = createLogger("warn");
  const redis = await startPrivateRedis({ dataDir, maxmemoryMb: 1024, logger });
  const core = await openCore(config, redis.socketPath, "work", logger);
  const progress = startProgress("Demo models");
  try {
    const { catalog, ingest, members: directory } = core;
    await fillWorld(
      createDemoWorld({ now: Date.now(), members }),
      {
        catalog: catalog.store,
        refreshCatalog: () => catalog.refresh(),
        putMember: (id, input) => directory.put(id, input),
        ingest: (events) => ingest.ingest(events),
      },
      (share, text) => progress.update(share / 2, text),
    );
    await train(core, {
      demo: true,
      threads: 2,
      rounds: ROUNDS,
      onProgress: (percent, text) => progress.update(0.5 + percent / 200, text),
    });
    mkdirSync(MODELS, { recursive: true });
    for (const name of ["heads", "ranker"]) {
      const version = await core.models.champion(name);
      const { bytes, manifest } = await core.models.get(name, version!);
      writeFileSync(join(MODELS, `demo-${name}.onnx`), bytes);
      writeFileSync(join(MODELS, `demo-${name}.json`), `${JSON.stringify(manifest, null, 2)}\n`);
      process.stdout.write(`models/demo-${name}.onnx: ${bytes.length} bytes\n`);
    }
  } finally {
    progress.stop();
    await core.close();
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
