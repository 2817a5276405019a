/**
 * The end of a turn of the event loop: what its requests ask of a store in the meantime is asked
 * there, together, and then sent in one go.
 */
type Callback = () => void;

let asking: Callback[] = [];
let sending: Callback[] = [];

/** `ask` runs once everything that came in with this turn was begun. */
export function askAtEndOfTurn(ask: Callback): void {
  begin();
  asking.push(ask);
}

/** `send` runs behind whatever is asked at the end of this turn. */
export function sendAtEndOfTurn(send: Callback): void {
  begin();
  sending.push(send);
}

function begin(): void {
  if (asking.length + sending.length === 0) setImmediate(end);
}

function end(): void {
  const asked = asking;
  asking = [];
  // Those who ask send something as well: in this turn still.
  for (const ask of asked) ask();
  const sent = sending;
  sending = [];
  for (const send of sent) send();
}
