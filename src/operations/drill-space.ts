import { estimatedBytes, SERVER_BYTES } from '../domain/drill.ts';
import { HoldfastError } from '../domain/errors.ts';
import { formatBytes } from '../domain/size.ts';
import type { DrillContext } from './drill-context.ts';
import type { Choice } from './restore-choice.ts';

/** What the scratch instances of these items will take, in bytes, before any is made. A dump says nothing of its indexes,
 *  so this is an estimate, and rather too much. */
export async function expectedBytes(
  choices: readonly Choice[],
  { scratch }: Pick<DrillContext, 'scratch'>,
): Promise<number> {
  const servers = new Set<string>();
  let bytes = 0;
  for (const { item, source, bytes: plain } of choices) {
    const server = item !== null && (await isServer(item.kind, scratch));
    if (server) servers.add(source);
    bytes += estimatedBytes(plain, server);
  }
  return bytes + servers.size * SERVER_BYTES;
}

async function isServer(kind: string, scratch: DrillContext['scratch']): Promise<boolean> {
  try {
    return (await scratch(kind)) !== null;
  } catch (error) {
    if (error instanceof HoldfastError) return false; // it says so when it is to be opened, and takes nothing
    throw error;
  }
}

export interface Budget {
  /** The folder in which scratch instances are made. */
  readonly scratch: string;
  /** Bytes that they may take; null for what the disk has. */
  readonly maxBytes: number | null;
}

/** @returns the bytes that are expected. @throws NoSpace when they are beyond the disk or the budget */
export async function refuseLargeDrill(
  choices: readonly Choice[],
  { scratch, maxBytes }: Budget,
  context: Pick<DrillContext, 'scratch' | 'host'>,
  signal: AbortSignal,
): Promise<number> {
  const bytes = await expectedBytes(choices, context);
  const free = await (await context.host('local')).files.freeBytes(scratch, signal);
  const words = `Its scratch instances may take ${formatBytes(bytes)}`;
  if (bytes > free)
    throw new HoldfastError('NoSpace', `${words}, and ${scratch} has ${formatBytes(free)} free.`, scratch, {
      hint: 'Choose a folder on another disk: --scratch DIR',
    });
  if (maxBytes !== null && bytes > maxBytes)
    throw new HoldfastError('NoSpace', `${words}, and --max-space allows ${formatBytes(maxBytes)}.`, scratch, {
      hint: 'Allow more, or drill one item: --item NAME',
    });
  return bytes;
}
