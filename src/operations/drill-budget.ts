import { estimatedBytes, SERVER_BYTES } from '../domain/drill.ts';
import { formatDuration } from '../domain/duration.ts';
import { HoldfastError } from '../domain/errors.ts';
import { formatBytes } from '../domain/size.ts';
import type { DrillContext } from './drill-context.ts';
import { drilledPointsOf, earlierDrills } from './drill-series.ts';
import type { Choice } from './restore-choice.ts';

/** What the scratch instances of these items will take, in bytes, before any is made. A dump says nothing of its indexes,
 *  so this is an estimate, and rather too much. */
async function expectedBytes(
  service: string,
  choices: readonly Choice[],
  { scratch }: Pick<DrillContext, 'scratch'>,
): Promise<number> {
  const servers = new Set<string>();
  let bytes = 0;
  for (const { item, source, bytes: plain } of choices) {
    const way = item === null ? 'file' : await wayOf(() => scratch(item.kind, service, source));
    if (way === 'server') servers.add(source);
    if (way !== 'elsewhere') bytes += estimatedBytes(plain, way === 'server');
  }
  return bytes + servers.size * SERVER_BYTES;
}

async function wayOf(scratch: () => ReturnType<DrillContext['scratch']>): Promise<'file' | 'server' | 'elsewhere'> {
  try {
    const way = await scratch();
    if (way === null) return 'file';
    return way.inFolder ? 'server' : 'elsewhere';
  } catch (error) {
    if (error instanceof HoldfastError) return 'elsewhere'; // it says so when it is to be opened, and takes nothing
    throw error;
  }
}

/** What a drill may take. */
export interface DrillBudget {
  /** The folder in which scratch instances are made. */
  readonly scratch: string;
  /** Bytes that they may take; null for what the disk has. */
  readonly maxBytes: number | null;
  /** Milliseconds after which the drill is given up; null for no limit. */
  readonly maxDurationMs: number | null;
}

/** @throws OverBudget when the last whole drill of the service took longer than is allowed */
export async function refuseLongDrill(
  service: string,
  { maxDurationMs }: DrillBudget,
  { catalog }: Pick<DrillContext, 'catalog'>,
): Promise<void> {
  if (maxDurationMs === null) return;
  const drills = await earlierDrills(catalog);
  const last = drills
    .flatMap(drilledPointsOf)
    .find((one) => one.service === service && one.whole && one.rtoMs !== null);
  if (last === undefined || last.rtoMs === null || last.rtoMs <= maxDurationMs) return;
  const [took, allowed] = [last.rtoMs, maxDurationMs].map((each) => formatDuration(each / 1000));
  throw new HoldfastError('OverBudget', `Its last drill took ${took}, and --max-duration allows ${allowed}.`, service, {
    hint: 'Allow more, or drill one item: --item NAME',
  });
}

/** @returns the bytes that are expected. @throws NoSpace, OverBudget */
export async function refuseLargeDrill(
  service: string,
  choices: readonly Choice[],
  { scratch, maxBytes }: DrillBudget,
  context: Pick<DrillContext, 'scratch' | 'host'>,
  signal: AbortSignal,
): Promise<number> {
  const bytes = await expectedBytes(service, choices, context);
  const free = await (await context.host('local')).files.freeBytes(scratch, signal);
  const words = `Its scratch instances may take ${formatBytes(bytes)}`;
  if (bytes > free)
    throw new HoldfastError('NoSpace', `${words}, and ${scratch} has ${formatBytes(free)} free.`, scratch, {
      hint: 'Choose a folder on another disk: --scratch DIR',
    });
  if (maxBytes !== null && bytes > maxBytes)
    throw new HoldfastError('OverBudget', `${words}, and --max-space allows ${formatBytes(maxBytes)}.`, scratch, {
      hint: 'Allow more, or drill one item: --item NAME',
    });
  return bytes;
}
