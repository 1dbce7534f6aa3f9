import { commandOf, PHASES, type Phase } from '../domain/container-labels.ts';
import type { Container } from '../domain/containers.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import type { Context } from './context.ts';
import { labelledBy } from './service-containers.ts';

/** A command of a label that failed, and the sources of which its container shares something. */
export interface FailedCommand {
  readonly error: unknown;
  readonly sources: readonly string[];
}

/** Looks whether all commands of labels can be read, before the first of them runs. @throws ConfigurationInvalid */
export function confirmCommands(service: ServiceDefinition, around: readonly Container[]): void {
  const labelled = labelledBy(service);
  for (const container of around) for (const phase of PHASES) commandOf(container, phase, labelled);
}

/** Runs what the labels of containers say for a phase, one after the other, and tells what it printed. One that fails
 *  keeps no other from running.
 *  @throws ConfigurationInvalid for a command that cannot be read; the signal's reason */
export async function runLabelled(
  phase: Phase,
  service: ServiceDefinition,
  around: readonly Container[],
  { containers, progress }: Pick<Context, 'containers' | 'progress'>,
  signal: AbortSignal,
): Promise<readonly FailedCommand[]> {
  const labelled = labelledBy(service);
  const commands = around.flatMap((container) => commandOf(container, phase, labelled) ?? []);
  const failed: FailedCommand[] = [];
  for (const { container, running, argv, user, sources } of commands) {
    if (!running) {
      progress({ type: 'warning', subject: container, text: `its ${phase} command did not run, since it is down` });
      continue;
    }
    progress({ type: 'step', subject: container, text: `${phase}: ${argv.join(' ')}` });
    const onLine = (line: string): void => progress({ type: 'step', subject: container, text: `${phase}: ${line}` });
    try {
      await (await containers()).execute({ container, argv, purpose: phase, user, onLine }, signal);
    } catch (error) {
      signal.throwIfAborted();
      failed.push({ error, sources });
    }
  }
  return failed;
}

/** How long commands may take that run although their verb was interrupted, in milliseconds. */
const AFTERWARDS_LIMIT_MS = 10 * 60_000;

/** For commands that clean up: of a signal that is aborted, one of its own. */
export const signalAfter = (signal: AbortSignal): AbortSignal =>
  signal.aborted ? AbortSignal.timeout(AFTERWARDS_LIMIT_MS) : signal;

/** Sources that cannot be read as they were meant to be: a container prepares them, and its command failed. One whose
 *  label names the service alone prepares all. */
export function unpreparedBy(
  failed: readonly FailedCommand[],
  { sources }: Pick<ServiceDefinition, 'sources'>,
): ReadonlyMap<string, unknown> {
  const unprepared = new Map<string, unknown>();
  for (const { error, sources: own } of failed)
    for (const name of own.length > 0 ? own : sources.map((source) => source.name))
      if (!unprepared.has(name)) unprepared.set(name, error);
  return unprepared;
}
