import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../domain/errors.ts';
import type { Command, Host } from '../ports/host.ts';

/** Every program of a drill has it in its environment, and so have its descendants: by it they are found after a crash. */
const MARK = 'HOLDFAST_SCRATCH';
/** Milliseconds between TERM and KILL, and after KILL until it is given up. */
const GRACE_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** A host whose programs bear the mark of a scratch folder, or of another name that nobody else bears. */
export function markedHost(host: Host, folder: string): Host {
  const marked = (command: Command): Command => ({
    ...command,
    environment: { ...command.environment, [MARK]: folder },
  });
  return {
    name: host.name,
    capabilities: host.capabilities,
    files: host.files,
    run: (command, options) => host.run(marked(command), options),
    read: (pipeline, options) => host.read(pipeline.map(marked), options),
    feed: (pipeline, options) => host.feed(pipeline.map(marked), options),
    session: (command, options) => host.session(marked(command), options),
    version: (program, signal) => host.version(program, signal),
  };
}

/** Ends all programs of this machine that bear the mark of a folder: TERM, then KILL. None is no error. Those of another
 *  account that do not show their environment are not seen: a drill starts none.
 *  @returns whether there was one
 *  @throws ScratchUnusable when one cannot be ended */
export async function endMarked(folder: string, signal: AbortSignal): Promise<boolean> {
  const any = marked(folder).length > 0;
  for (const word of ['SIGTERM', 'SIGKILL'] as const) {
    const deadline = performance.now() + GRACE_MS;
    const told = new Set<number>();
    for (let left = marked(folder); left.length > 0; left = marked(folder)) {
      for (const pid of left) if (!told.has(pid)) end(pid, word);
      for (const pid of left) told.add(pid);
      if (performance.now() > deadline) break;
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  }
  const [left] = marked(folder);
  if (left === undefined) return any;
  throw new HoldfastError('ScratchUnusable', `Process ${left} of a drill cannot be ended.`, folder, {
    hint: `End it by hand, then: holdfast unlock`,
  });
}

function end(pid: number, word: NodeJS.Signals): void {
  try {
    process.kill(pid, word);
  } catch {
    // it ended meanwhile, or belongs to somebody else: the next look tells
  }
}

function marked(folder: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.filter((pid) => bears(pid, `${MARK}=${folder}\0`)).map(Number);
}

/** Whether a process was started for a drill, of whatever scratch folder. */
export const isOfDrill = (pid: number): boolean => bears(`${pid}`, `${MARK}=`);

/** proc(5), environ: what a program was started with, each ending with a NUL. That of a zombie is empty. */
function bears(pid: string, words: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`);
    const at = environment.indexOf(words);
    return at === 0 || (at > 0 && environment[at - 1] === 0);
  } catch {
    return false; // it ended, or is another account's
  }
}
