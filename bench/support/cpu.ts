/** Processor time of this process: on a shared machine it says more than the clock does. */
export function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
