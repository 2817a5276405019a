/** Command line: import, rebuild, keys. Options in, one function called, its last line printed. */
import { constants, setPriority } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import { productInputSchema } from "./catalog/records.js";
import type { Config } from "./config.js";
import type { Core } from "./core.js";
import { isCuecardError } from "./errors.js";
import { importEvents } from "./events/import.js";
import { parseMapping } from "./events/import-map.js";
import { importMembers, importProducts } from "./events/import-records-command.js";
import { formatSummary, type ImportSummary, importProgress } from "./events/import-report.js";
import { rebuild } from "./events/rebuild.js";
import { combineProfiles } from "./members/combine-profiles.js";
import { identitiesOf } from "./members/identity.js";
import { memberInputSchema } from "./members/profile.js";
import { startProgress } from "./progress.js";
import { ApiKeys, SCOPES, type Scope } from "./redis/api-keys.js";
import { withCore } from "./with-core.js";

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** The summary is the last line; where refused rows lie is said before it. */
function report(summary: ImportSummary): void {
  const { rejected, rejectFile } = summary;
  if (rejectFile !== null)
    process.stderr.write(`refused rows: ${rejected}, with reasons in ${rejectFile}\n`);
  print(formatSummary(summary));
}

interface ImportFlags {
  file: string;
  map: string;
  type?: string;
  idFrom?: string[];
  negativeQuantity?: "return";
  encoding?: "auto" | "utf8" | "gb18030";
  separator?: string;
  dateOrder?: "dmy" | "mdy";
  timezone?: string;
  rejects?: string;
}

const withImportFlags = (command: Command): Command =>
  command
    .requiredOption("--file <file>", ".csv, .tsv, .ndjson (.gz too) or .parquet")
    .requiredOption("--map <target=column,…>", "which column is what")
    .addOption(
      new Option("--encoding <name>", "default: told from the file").choices(["utf8", "gb18030"]),
    )
    .option("--separator <character>", "default: told from the first line")
    .option("--rejects <csv>", "where refused rows go; default <file>.rejects.csv");

async function importEventsInto(core: Core, flags: ImportFlags): Promise<ImportSummary> {
  // Whoever serves on this machine comes first.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const { catalog, members, config, client, writer, optOut } = core;
  const { map, rejects, timezone, ...options } = flags;
  return importEvents(
    {
      ...options,
      mapping: parseMapping(map),
      timezone: timezone ?? config.timezone,
      rejectFile: rejects,
    },
    {
      client,
      writer,
      optOut,
      registerSeen: (products) => catalog.registerSeen(products),
      categoryOf: (id) => categoryOf(core, id),
      async resolve(kind, value) {
        try {
          return await members.resolveOrCreate(
            kind === "phone" ? { phone: value } : { email: value },
          );
        } catch (error) {
          const { code, status } = isCuecardError(error) ? error : { code: null, status: 500 };
          if (status >= 500 || code === "member_erased") throw error;
          return null;
        }
      },
    },
    importProgress(),
  );
}

function categoryOf({ catalog }: Core, id: string): string | undefined {
  const snapshot = catalog.current();
  const index = snapshot.indexOf.get(id);
  return index === undefined ? undefined : snapshot.products[index]!.category;
}

export function addStoreCommands(program: Command, config: () => Config): void {
  addImport(program, config);
  addKeys(program, config);
  program
    .command("rebuild")
    .description("every member's state and profile again from the event log")
    .action(() => withCore(config(), rebuildAll));
}

function addImport(program: Command, config: () => Config): void {
  const command = program.command("import").description("events, members or products from a file");
  withImportFlags(
    command.command("events").description("one row an event, or one a line of an order"),
  )
    .option("--type <type>", "type of rows that name none", "purchase")
    .option("--id-from <columns>", "columns that make an event's id", (text) => text.split(","))
    .addOption(
      new Option("--negative-quantity <meaning>", "what such rows are").choices(["return"]),
    )
    .addOption(
      new Option("--date-order <order>", "how 03/04/2026 is meant").choices(["dmy", "mdy"]),
    )
    .option("--timezone <zone>", "of times without one; default: the configuration's")
    .action((flags: ImportFlags) =>
      withCore(config(), async (core) => report(await importEventsInto(core, flags))),
    );
  withImportFlags(command.command("members").description("one row a member")).action(
    (flags: ImportFlags) =>
      withCore(config(), async ({ members, config: { attributes } }) => {
        const attributeTypes = Object.fromEntries(attributes.map(({ name, type }) => [name, type]));
        const options = {
          ...flags,
          mapping: parseMapping(flags.map),
          schema: memberInputSchema,
          attributeTypes,
        };
        const put = (id: string, input: Parameters<typeof members.put>[1]) =>
          members.put(id, input);
        report(await importMembers(options, put, importProgress()));
      }),
  );
  withImportFlags(command.command("products").description("one row a product")).action(
    (flags: ImportFlags) =>
      withCore(config(), async ({ catalog }) => {
        const options = { ...flags, mapping: parseMapping(flags.map), schema: productInputSchema };
        const put = (batch: Parameters<typeof catalog.store.putProducts>[0]) =>
          catalog.store.putProducts(batch);
        report(await importProducts(options, put, importProgress()));
      }),
  );
}

async function rebuildAll(core: Core): Promise<void> {
  const { log, store, client, codec, members, contactEvents, suppressions } = core;
  const progress = startProgress("Rebuild");
  const result = await rebuild({
    reader: log,
    store,
    client,
    codec,
    combineProfiles,
    contactEvents,
    suppressions,
    onProfile: async (id, profile) => {
      for (const identity of identitiesOf(profile)) await members.identities.link(identity, id);
    },
    onProgress: (share) => progress.update(share, ""),
  }).finally(() => progress.stop());
  if (result.foreignSuppressions > 0) {
    process.stderr.write(
      `${result.foreignSuppressions} entries of the suppression list were made with another secret: ` +
        "set SUPPRESSION_SECRET to it and rebuild again, or whom they name can be contacted\n",
    );
  }
  print(
    `rebuilt: members=${result.members} written=${result.written} unlogged=${result.unloggedCount}`,
  );
}

function scopesOf(text: string): Scope[] {
  const scopes = text.split(",").map((one) => SCOPES.find((scope) => scope === one.trim()));
  if (scopes.some((scope) => scope === undefined)) {
    throw new InvalidArgumentError(`scopes are ${SCOPES.join(", ")}`);
  }
  return scopes as Scope[];
}

const withKeys = (config: Config, work: (keys: ApiKeys) => Promise<void>): Promise<void> =>
  withCore(config, async ({ client, logger }) => {
    const keys = new ApiKeys({ client, logger });
    await work(keys).finally(() => keys.close());
  });

function addKeys(program: Command, config: () => Config): void {
  const command = program.command("keys").description("API keys");
  command
    .command("create")
    .description("prints the key once; it is never shown again")
    .requiredOption("--name <name>", "who uses it")
    .requiredOption("--scopes <list>", SCOPES.join(","), scopesOf)
    .action(({ name, scopes }: { name: string; scopes: Scope[] }) =>
      withKeys(config(), async (keys) => {
        const { key, record } = await keys.create({ name, scopes });
        print(`${record.id} ${record.scopes.join(",")}\n${key}`);
      }),
    );
  command
    .command("list")
    .description("all keys, without their secrets")
    .action(() =>
      withKeys(config(), async (keys) => {
        for (const { id, name, scopes, createdAt } of await keys.list()) {
          print(`${id}  ${new Date(createdAt).toISOString()}  ${scopes.join(",")}  ${name}`);
        }
      }),
    );
  command
    .command("revoke")
    .description("the key stops working within a second")
    .argument("<id>")
    .action((id: string) =>
      withKeys(config(), async (keys) => {
        await keys.revoke(id);
        print(`revoked ${id}`);
      }),
    );
}
