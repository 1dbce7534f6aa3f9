import type { Readable, Writable } from 'node:stream';
import type { Command, Finished } from '../ports/host.ts';
import { type Account, asAccount } from './account.ts';
import { startChild } from './child.ts';
import type { Enter } from './enter.ts';
import { childEnvironment } from './environment.ts';
import { notFoundBySetpriv, notStarted } from './failure.ts';
import { endGroup, signalGroup } from './group.ts';
import { readStderr } from './stderr.ts';

export interface MemberSettings {
  readonly stdin: 'pipe' | 'ignore';
  /** A number: the open file that it gets. */
  readonly stdout: 'pipe' | 'ignore' | number;
  /** Null for the caller's own. */
  readonly account: Account | null;
  readonly graceMs: number;
  /** Null where it runs here. */
  readonly enter: Enter | null;
  readonly onStderr: (line: string) => void;
}

/** One program of a pipeline, running. */
export interface Member {
  readonly stdin: Writable | null;
  /** It has to be read to its end, or destroyed, before `ended` resolves. */
  readonly stdout: Readable | null;
  /** Whatever its exit code was. @throws ToolMissing, ProcessFailed when it never started */
  readonly ended: Promise<Finished>;
  /** Ends the program and its descendants, and closes what is left of its streams. */
  stop(): Promise<void>;
}

/** Starts a program as the leader of a process group of its own. Its stdout waits until it is read. */
export function startMember(command: Command, settings: MemberSettings): Member {
  const { program } = command;
  const entered = settings.enter?.(command) ?? null;
  const asked = entered?.command ?? (settings.account === null ? command : asAccount(command, settings.account));
  const started = performance.now();
  const environment = childEnvironment(entered?.command ?? command, settings.account);
  const { process: child, closed } = startChild(asked, environment, [settings.stdin, settings.stdout, 'pipe']);
  // Without a listener Node throws away what nobody has read when the program ends.
  child?.stdout?.on('readable', () => undefined);
  const stderr = readStderr(settings.onStderr, entered?.takeLine);
  child?.stderr?.on('data', (chunk: Uint8Array) => stderr.write(chunk));
  const group = child?.pid;
  let groupIsGone = group === undefined;

  async function ended(): Promise<Finished> {
    const { exitCode, signal } = await closed.catch((error: unknown) => {
      throw notStarted(asked.program, error);
    });
    // The number of a group that is gone may be given to another one; while one process is left in it, it is ours.
    groupIsGone ||= group !== undefined && !signalGroup(group, 0);
    const durationMs = Math.round(performance.now() - started);
    const stderrTail = stderr.end();
    const client = { program, exitCode, signal, stderrTail, durationMs };
    const finished = entered?.judge(client) ?? client;
    const missing = settings.account === null ? null : notFoundBySetpriv(program, finished);
    if (missing !== null) throw missing;
    return finished;
  }

  async function stop(): Promise<void> {
    await entered?.stop();
    if (!groupIsGone && group !== undefined) await endGroup(group, settings.graceMs);
    // A descendant that left the group may still hold the other ends.
    for (const stream of [child?.stdin, child?.stdout, child?.stderr]) stream?.destroy();
  }
  return { stdin: child?.stdin ?? null, stdout: child?.stdout ?? null, ended: ended(), stop };
}
