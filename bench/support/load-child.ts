/** The load, in a process of its own: closed loop by autocannon, open loop and single file by hand. */
import { Agent, request } from "node:http";
import autocannon from "autocannon";
import { answerCalls } from "./child.js";
import { quantile, sendEvenly } from "./open-loop.js";

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly key: string;
  /** Sent in turn, from another place on each connection. */
  readonly bodies: readonly string[];
  readonly seconds: number;
}

export interface ClosedLoop extends Load {
  readonly connections: number;
}

export interface OpenLoop extends Load {
  /** Arrivals a second, evenly spaced, whether or not earlier ones were answered. */
  readonly rate: number;
}

const headersOf = (key: string) => ({ "content-type": "application/json", "x-api-key": key });

/** As many requests as `connections` get answered, each sending its next when it has its answer. */
async function saturate(load: ClosedLoop) {
  const { bodies, connections, path } = load;
  const headers = headersOf(load.key);
  const requests = bodies.map((body) => ({ method: "POST" as const, path, headers, body }));
  let client = 0;
  const result = await autocannon({
    url: `http://127.0.0.1:${load.port}`,
    connections,
    duration: load.seconds,
    requests: [requests[0]],
    setupClient(each) {
      const from = Math.floor((client++ * requests.length) / connections);
      each.setRequests([...requests.slice(from), ...requests.slice(0, from)]);
    },
  });
  return {
    answered: result["2xx"],
    failed: result.non2xx + result.errors + result.timeouts,
    seconds: result.duration,
  };
}

interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late the sender itself was. */
  readonly lateP99Ms: number;
  readonly answered: number;
  readonly failed: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 512, maxFreeSockets: 512, noDelay: true });

/** Resolves with whether the answer was 200. */
function post({ port, path, key }: Load, body: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { ...headersOf(key), "content-length": Buffer.byteLength(body) };
    const sent = request(
      { agent, host: "127.0.0.1", port, path, method: "POST", headers },
      (res) => {
        res.resume();
        res.on("end", () => resolve(res.statusCode === 200));
      },
    );
    sent.on("error", () => resolve(false));
    sent.end(body);
  });
}

function summarize(latencies: number[], late: number[], failed: number): Latencies {
  return {
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    lateP99Ms: quantile(late, 0.99),
    answered: latencies.length,
    failed,
  };
}

/**
 * Open loop: no answer is waited for before the next request goes out, and none that is due is left
 * out, so nothing hides behind a slow answer (coordinated omission). Latency counts from the moment
 * a request was really sent; the sender's own lateness stands beside it.
 */
async function pace(load: OpenLoop): Promise<Latencies> {
  const { bodies, rate } = load;
  const total = Math.round(rate * load.seconds);
  const latencies: number[] = [];
  let failed = 0;
  let next = 0;
  const late = await sendEvenly(total, rate, async () => {
    const sentAt = performance.now();
    if (await post(load, bodies[next++ % bodies.length])) {
      latencies.push(performance.now() - sentAt);
    } else failed++;
  });
  return summarize(latencies, late, failed);
}

/** One request at a time: what an answer takes on an idle server. */
async function alone(load: Load): Promise<Latencies> {
  const latencies: number[] = [];
  let failed = 0;
  const until = performance.now() + load.seconds * 1000;
  for (let i = 0; performance.now() < until; i++) {
    const sentAt = performance.now();
    if (await post(load, load.bodies[i % load.bodies.length])) {
      latencies.push(performance.now() - sentAt);
    } else failed++;
  }
  return summarize(latencies, [], failed);
}

const calls = { saturate, pace, alone };
export type LoadCalls = typeof calls;
answerCalls(calls);
