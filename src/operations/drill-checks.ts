import type { NotChecked } from '../domain/drill.ts';
import type { Check } from '../domain/verdict.ts';
import type { DrillContext } from './drill-context.ts';
import type { Drilling } from './drill-items.ts';
import type { Scene } from './drill-scene.ts';
import { liveDataOf } from './live-data.ts';
import { inconclusiveOrFailed } from './verify-item.ts';

interface Checked {
  readonly checks: readonly Check[];
  readonly notChecked: readonly NotChecked[];
}

/** Runs the declared checks of a service on its restored copy; those that would reach the live service are named.
 *  @param whole whether all of the service was restored: a check of half of it says nothing */
export async function checkRestored(
  service: string,
  drilled: readonly Drilling[],
  whole: boolean,
  { place, restored }: Scene,
  context: DrillContext,
  signal: AbortSignal,
): Promise<Checked> {
  const declared = context.services.get(service);
  if (declared === undefined || declared.checks.length === 0) return { checks: [], notChecked: [] };
  const copy = {
    folder: restored,
    environment: environmentOf(service, drilled, restored),
    live: await liveDataOf(declared, drilled, { place, restored }, context, signal),
    query: async (name: string, sql: string, aborted: AbortSignal) => {
      const of = drilled.filter(({ choice }) => choice.source === name);
      const scratch = of.find((one) => one.scratch !== null)?.scratch;
      if (scratch) return await scratch.query(sql, aborted);
      const definition = declared.sources.find((one) => one.name === name);
      const file = of[0]?.choice.file;
      if (definition === undefined || !file) return await Promise.reject(new TypeError(`${name} was not restored`));
      // the same source, of the restored file
      const settings = { [definition.kind]: `${restored}/${file}` };
      return await (await context.source(declared, { ...definition, settings })).query(sql, aborted);
    },
  };
  const checks: Check[] = [];
  const notChecked: NotChecked[] = [];
  for (const { name, validator, reason } of await context.restoredChecks(declared, copy, place, signal)) {
    if (validator === null) notChecked.push({ name, reason });
    else if (!whole) notChecked.push({ name, reason: 'not all of the service was restored' });
    else checks.push(await lookAt(name, () => validator.baseline(signal), context, signal));
  }
  return { checks, notChecked };
}

async function lookAt(
  name: string,
  look: () => Promise<{ readonly good: boolean; readonly detail: string }>,
  { clock }: Pick<DrillContext, 'clock'>,
  signal: AbortSignal,
): Promise<Check> {
  const from = clock.monotonicMs();
  const elapsed = (): number => Math.round(clock.monotonicMs() - from);
  try {
    const { good, detail } = await look();
    return { name, outcome: good ? 'passed' : 'failed', detail, durationMs: elapsed() };
  } catch (error) {
    signal.throwIfAborted();
    // What cannot be asked tells nothing of the point, whatever the reason.
    return { ...inconclusiveOrFailed(name, error, elapsed()), outcome: 'inconclusive' };
  }
}

/** What a check is told (interface, section 4, "Drills"). */
function environmentOf(
  service: string,
  drilled: readonly Drilling[],
  restored: string,
): Readonly<Record<string, string>> {
  const urls = drilled.flatMap(({ choice, scratch }) => {
    const url = scratch === null ? fileUrl(restored, choice.file) : scratch.url();
    return url === null ? [] : [[`HOLDFAST_${choice.source.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`, url]];
  });
  return {
    HOLDFAST_SERVICE: service,
    HOLDFAST_DRILL: '1',
    HOLDFAST_RESTORED: restored,
    ...Object.fromEntries(urls),
  };
}

const fileUrl = (folder: string, file: string | null): string =>
  `file://${[...folder.split('/'), ...(file === null ? [] : [file])].map(encodeURIComponent).join('/')}`;
