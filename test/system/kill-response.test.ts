import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { decodeContacts } from "../../src/members/contacts.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { logKey, memberKey, PARTITIONS } from "../../src/redis/keys.js";
import { call, type System, startSystem } from "../support/system.js";

const MEMBERS = 80;

interface Sent {
  readonly member: string;
  readonly phone: string;
  readonly body: { decisionId: string; outcome: string; at: number };
  acknowledged: boolean;
}

const OUTCOMES = ["do_not_contact", "wrong_person", "reject", "accept"];

/** Members with a decision each, and what is to be said to it. */
async function decisions(system: System): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (let i = 0; i < MEMBERS; i++) {
    const [member, phone] = [`m${i}`, `+86138${String(10_000_000 + i)}`];
    await call(system, "PUT", `/v1/members/${member}`, { phone });
    const asked = { member, placement: "screen_pop" };
    const { body } = await call<{ decisionId: string }>(
      system,
      "POST",
      "/v1/recommendations",
      asked,
    );
    const { decisionId } = body;
    const outcome = OUTCOMES[i % OUTCOMES.length]!;
    sent.push({
      member,
      phone,
      body: { decisionId, outcome, at: Date.now() },
      acknowledged: false,
    });
  }
  return sent;
}

/** A connection that was on its way to a killed process may stay open: no caller waits for ever. */
const TIMEOUT_MS = 5_000;

const send = async (system: System, one: Sent): Promise<void> => {
  const answered = call(system, "POST", "/v1/responses", one.body, TIMEOUT_MS);
  const answer = await answered.catch(() => null);
  if (answer?.status === 200) one.acknowledged = true;
};

/** What each response was to do is done, once; `sent`: all of them were acknowledged. */
async function expectDone(system: System, client: RedisClient, sent: readonly Sent[]) {
  const logged = new Map<string, number>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (const [, fields] of await client.xrange(logKey(partition), "-", "+")) {
      const { k, e } = JSON.parse(fields[1]!);
      if (k !== "event" || e.t !== "response") continue;
      logged.set(e.p.decision, (logged.get(e.p.decision) ?? 0) + 1);
    }
  }
  for (const { member, phone, body } of sent) {
    expect([member, logged.get(body.decisionId)]).toEqual([member, 1]);
    const profile = await call<Record<string, unknown>>(system, "GET", `/v1/members/${member}`);
    if (body.outcome === "wrong_person") {
      expect(profile.body.phoneMarks).toMatchObject([{ phone, status: "wrong_person" }]);
    }
    if (body.outcome === "do_not_contact") {
      for (const identity of [phone, `member:${member}`]) {
        const path = `/v1/suppressions/${encodeURIComponent(identity)}`;
        expect([identity, (await call(system, "GET", path)).status]).toEqual([identity, 200]);
      }
    }
    const contacts = decodeContacts(await client.hgetBuffer(memberKey(member), "c"));
    const answers: Record<string, string> = { reject: "refused", accept: "accepted" };
    expect(contacts.map(({ outcome }) => outcome)).toEqual(
      body.outcome in answers ? [answers[body.outcome]] : [],
    );
  }
}

describe("after kill -9 while responses come in", { timeout: 90_000 }, () => {
  let system: System | undefined;
  afterEach(async () => {
    await system?.stop();
    system = undefined;
  });

  it("what was acknowledged is done, and a repeat finishes what was not", async () => {
    const environment = { SERVE_PROCESSES: "2" };
    system = await startSystem({ environment });
    const running = system;
    const sent = await decisions(running);
    // Records of decisions are written just behind their answers.
    await sleep(300);
    let next = 0;
    const senders = Array.from({ length: 8 }, async () => {
      for (let i = next++; i < sent.length; i = next++) await send(running, sent[i]!);
    });
    while (!sent.some(({ acknowledged }) => acknowledged)) await sleep(1);
    for (const victim of running.children("start")) process.kill(victim, "SIGKILL");
    await Promise.all(senders);
    const cut = sent.filter(({ acknowledged }) => !acknowledged);
    expect(cut.length).toBeGreaterThan(0);
    const client = connectRedis(running.socketPath, "work");
    try {
      await whenReady(client, 5_000);
      while (running.children("start").length < 2) await sleep(50);
      while ((await fetch(`${running.url}/readyz`).catch(() => null))?.ok !== true) await sleep(50);
      await expectDone(
        running,
        client,
        sent.filter(({ acknowledged }) => acknowledged),
      );
      while (cut.some(({ acknowledged }) => !acknowledged)) {
        for (const one of cut) if (!one.acknowledged) await send(running, one);
      }
      await expectDone(running, client, sent);
    } finally {
      closeRedis(client);
    }
  });
});
