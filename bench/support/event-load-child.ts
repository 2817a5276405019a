/** Sends batches of made-up events, in a process of its own: closed loop, and open loop with a reader. */
import { Agent, request } from "node:http";
import { answerCalls } from "./child.js";
import { type EventCrowd, type MadeEvent, madeEvents, productId } from "./event-file.js";
import { quantile, sendEvenly } from "./open-loop.js";

export interface EventLoad {
  readonly port: number;
  readonly key: string;
  readonly crowd: EventCrowd;
  /** Events a request. */
  readonly batch: number;
  readonly seconds: number;
}

export interface PacedEvents extends EventLoad {
  /** Requests a second, evenly spaced, whether or not earlier ones were answered. */
  readonly rate: number;
  /** Where a second client asks for a score after each acknowledgement; undefined: it does not. */
  readonly readerPort: number | undefined;
}

const TEMPLATES = 64;
/** Stands for what makes a request's ids its own. */
const MARK = "§";
const READS_MAX = 1_000;

const agent = new Agent({ keepAlive: true, maxSockets: 256, noDelay: true });
const readerAgent = new Agent({ keepAlive: true, maxSockets: 256, noDelay: true });

/** Bodies of requests; the first event of each is a purchase of a member nobody has met. */
function templates({ crowd, batch }: EventLoad): string[] {
  const events = madeEvents(crowd);
  const now = Date.now();
  return Array.from({ length: TEMPLATES }, () => {
    const list = Array.from({ length: batch }, (_, i) => {
      const { type, member, product, quantity, price, order, channel } = events.next()
        .value as MadeEvent;
      return {
        id: `e${MARK}-${i}`,
        type: i === 0 ? "purchase" : type,
        member: i === 0 ? `new${MARK}` : member,
        at: now - i * 1_000,
        ...(order === undefined ? {} : { order: `${order}-${MARK}` }),
        items: [{ product, quantity, amount: price * quantity }],
        channel,
      };
    });
    return JSON.stringify({ events: list });
  });
}

const name = `${process.pid}-`;
let sent = 0;
const nextName = (): string => name + (sent++).toString(36);

function post(load: EventLoad, body: string): Promise<boolean> {
  return send(agent, load.port, "/v1/events", load.key, body).then(
    ({ status, text }) => status === 200 && text.includes(`"accepted":${load.batch},`),
    () => false,
  );
}

function send(
  through: Agent,
  port: number,
  path: string,
  key: string,
  body: string,
): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "x-api-key": key,
      "content-length": Buffer.byteLength(body),
    };
    const options = { agent: through, host: "127.0.0.1", port, path, method: "POST", headers };
    const asked = request(options, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (chunk: string) => {
        text += chunk;
      });
      res.on("end", () => resolve({ status: res.statusCode, text }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** One view of every product: a shop's products are known before the load comes, not during it. */
async function meetProducts(load: EventLoad): Promise<void> {
  const { products } = load.crowd;
  for (let from = 0; from < products; from += load.batch) {
    const events = Array.from({ length: Math.min(load.batch, products - from) }, (_, i) => ({
      type: "view",
      member: "m_everything",
      at: Date.now(),
      product: productId(from + i),
    }));
    const { status } = await send(
      agent,
      load.port,
      "/v1/events",
      load.key,
      JSON.stringify({ events }),
    );
    if (status !== 200) throw new Error(`products: answered ${status}`);
  }
}

/** As many requests as `connections` get answered, each sending its next when it has its answer. */
async function saturate(load: EventLoad & { connections: number }) {
  const bodies = templates(load);
  let answered = 0;
  let failed = 0;
  const begun = performance.now();
  const until = begun + load.seconds * 1000;
  const connection = async (_: unknown, number: number): Promise<void> => {
    for (let n = number; performance.now() < until; n++) {
      const body = bodies[n % TEMPLATES].replaceAll(MARK, nextName());
      if (await post(load, body)) answered++;
      else failed++;
    }
  };
  await Promise.all(Array.from({ length: load.connections }, connection));
  return { answered, failed, seconds: (performance.now() - begun) / 1000 };
}

/** Reads a member's scores until they show what was acknowledged; resolves with how many reads. */
async function untilVisible(port: number, key: string, member: string): Promise<number> {
  const body = JSON.stringify({ members: [member] });
  for (let reads = 1; reads <= READS_MAX; reads++) {
    const { text } = await send(readerAgent, port, "/v1/scores", key, body);
    if (text.includes('"known":true')) return reads;
  }
  throw new Error("an acknowledged event never became visible");
}

/** Open loop: nothing waits for an answer, and none that is due is left out. */
async function pace(load: PacedEvents) {
  const bodies = templates(load);
  const { rate, readerPort, key } = load;
  const total = Math.round(rate * load.seconds);
  const acknowledged: number[] = [];
  const visible: number[] = [];
  let [failed, secondReads, next] = [0, 0, 0];
  const late = await sendEvenly(total, rate, async () => {
    const own = nextName();
    const body = bodies[next++ % TEMPLATES].replaceAll(MARK, own);
    const sentAt = performance.now();
    if (!(await post(load, body))) {
      failed++;
      return;
    }
    const acknowledgedAt = performance.now();
    acknowledged.push(acknowledgedAt - sentAt);
    if (readerPort === undefined) return;
    if ((await untilVisible(readerPort, key, `new${own}`)) > 1) secondReads++;
    visible.push(performance.now() - acknowledgedAt);
  });
  return {
    answered: acknowledged.length,
    failed,
    secondReads,
    ackP50Ms: quantile(acknowledged, 0.5),
    ackP99Ms: quantile(acknowledged, 0.99),
    visibleP50Ms: quantile(visible, 0.5),
    visibleP99Ms: quantile(visible, 0.99),
    lateP99Ms: quantile(late, 0.99),
  };
}

const calls = { meetProducts, saturate, pace };
export type EventLoadCalls = typeof calls;
answerCalls(calls);
