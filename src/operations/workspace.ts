import type { Context } from './context.ts';

/** Runs `work` with a folder of mode 0700 under the state folder and removes it afterwards; what a crash leaves of it, the
 *  next repair of the journal removes. */
export async function withWorkspace<Result>(
  intent: { readonly verb: string; readonly subject: string },
  context: Pick<Context, 'journal' | 'host' | 'stateFolder' | 'identifiers' | 'clock'>,
  signal: AbortSignal,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const { files } = await context.host('local');
  const path = `${context.stateFolder}/workspace-${context.identifiers.next(context.clock.now())}`;
  const journal = await context.journal();
  // Left without `done`: what the step made is taken back, which is what is wanted here, always.
  await using entry = await journal.begin(intent);
  await entry.step({ kind: 'path-made', host: 'local', path }, () => files.makeFolder(path, 0o700, signal));
  return await work(path);
}
