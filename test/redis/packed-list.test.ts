import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import type { RedisClient } from "../../src/redis/clients.js";
import { PackedList } from "../../src/redis/packed-list.js";
import { defineScript, runScript } from "../../src/redis/scripts.js";
import { useClient } from "../support/client.js";

let client: RedisClient;
useClient((connected) => {
  client = connected;
});

/** Numbers come back as texts, so that none is cut to a whole 64-bit one on the way. */
const echo = defineScript<Buffer[]>({
  name: "test_echo_packed_list",
  lua: `
local list = cmsgpack.unpack(ARGV[1])
for i = 1, #list do
  if type(list[i]) == 'number' then list[i] = string.format('%.17g', list[i]) end
end
return list
`,
});

it("reaches a script as it was: texts, bytes and numbers of every size", async () => {
  const values = [
    "",
    "plain",
    '好 😀 \u0000 "quoted"',
    "x".repeat(255),
    "好".repeat(21_845),
    "好".repeat(40_000),
    Buffer.alloc(0),
    randomBytes(31),
    randomBytes(65_535),
    randomBytes(65_536),
    randomBytes(300_000),
  ];
  const numbers = [0, 1, 127, 128, -1, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const list = new PackedList();
  list.add("of an earlier list");
  list.clear();
  for (const value of values) list.add(value);
  for (const value of numbers) list.addNumber(value);
  const reply = await runScript(client, echo, ["key"], [list.take()]);
  expect(reply.map((one) => one.toString("hex"))).toEqual([
    ...values.map((value) => Buffer.from(value).toString("hex")),
    ...numbers.map((value) => Buffer.from(String(value)).toString("hex")),
  ]);
});
