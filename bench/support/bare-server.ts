/** The bare node:http server of the limits: reads a body, answers JSON. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Returns the port. `work` that rejects is answered by 503. */
export async function serveBare(
  work: (path: string | undefined, body: Buffer) => Promise<string | Buffer>,
): Promise<number> {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      work(req.url, body).then(
        (answer) => {
          const headers = { "Content-Type": "application/json", "Content-Length": answer.length };
          res.writeHead(200, headers);
          res.end(answer);
        },
        () => res.writeHead(503).end(),
      );
    });
  });
  // Node's 5 s would close connections just as the open loop sends on them.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
