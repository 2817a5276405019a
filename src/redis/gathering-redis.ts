/**
 * A client whose commands of one turn of the event loop leave in one write: under load a turn serves
 * a dozen requests, and a write costs as much as the command in it, here and in Redis.
 */
import { Redis } from "ioredis";
import { sendAtEndOfTurn } from "./end-of-turn.js";

export class GatheringRedis extends Redis {
  #gathers = false;

  override sendCommand(...args: Parameters<Redis["sendCommand"]>): unknown {
    if (!this.#gathers && this.status === "ready") this.#gather();
    return super.sendCommand(...args);
  }

  #gather(): void {
    const { stream } = this;
    this.#gathers = true;
    stream.cork();
    sendAtEndOfTurn(() => {
      this.#gathers = false;
      stream.uncork();
    });
  }
}
