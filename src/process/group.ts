import { setTimeout as sleep } from 'node:timers/promises';

/** How often a group that was asked to end is looked at, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** Sends a signal, or with 0 none, to every process of a group; false when there is none left. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false; // ESRCH: all are gone; EPERM: what is left belongs to somebody else, and cannot be ended by us
  }
}

/** Ends a process group: TERM, and KILL for what is still there after `graceMs`. */
export async function endGroup(group: number, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs;
  signalGroup(group, 'SIGTERM');
  while (signalGroup(group, 0)) {
    if (performance.now() >= deadline) return void signalGroup(group, 'SIGKILL');
    await sleep(LOOK_AGAIN_MS);
  }
}
