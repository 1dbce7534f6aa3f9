import type { Context } from './context.ts';

/** Room for work on several items. Hold it with `await using`: leaving the block removes it, and what a crash leaves of it,
 *  the next repair of the journal removes. */
export interface Workspace extends AsyncDisposable {
  /** A folder of mode 0700 of this name. The first call makes the workspace. */
  folder(name: string): Promise<string>;
}

/** A workspace under the state folder. One for many items, since each costs syncs of the journal. */
export function openWorkspace(
  intent: { readonly verb: string; readonly subject: string },
  context: Pick<Context, 'journal' | 'host' | 'stateFolder' | 'identifiers' | 'clock'>,
  signal: AbortSignal,
): Workspace {
  const held = new AsyncDisposableStack();
  let made: Promise<string> | null = null;
  async function make(): Promise<string> {
    const { files } = await context.host('local');
    const path = `${context.stateFolder}/workspace-${context.identifiers.next(context.clock.now())}`;
    // Left without `done`: what the step made is taken back, which is what is wanted here, always.
    const entry = held.use(await (await context.journal()).begin(intent));
    await entry.step({ kind: 'path-made', host: 'local', path }, () => files.makeFolder(path, 0o700, signal));
    return path;
  }
  return {
    async folder(name) {
      made ??= make();
      const path = `${await made}/${name}`;
      await (await context.host('local')).files.makeFolder(path, 0o700, signal);
      return path;
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
