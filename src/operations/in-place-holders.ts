import { HoldfastError } from '../domain/errors.ts';
import { isBelow, parentOf } from '../domain/tree-path.ts';
import type { Context } from './context.ts';
import { nearestExisting } from './existing-path.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import { refuseServersFiles } from './in-place-servers.ts';
import { userIdOf } from './restore-extract.ts';
import { refuseFullDisk } from './restore-space.ts';
import { refuseSharers, sharersToStop } from './service-containers.ts';

/** What refuses a restore in place, looked at before anything is written.
 *  @throws Refused, TargetBusy, NoSpace */
export async function refuseInPlace(
  plan: InPlacePlan,
  { live }: { readonly live: boolean },
  context: Pick<Context, 'forbiddenPaths' | 'unit' | 'containers'>,
  signal: AbortSignal,
): Promise<void> {
  refuseUnstopped(plan);
  await refuseServersFiles(plan, context, signal);
  if (!plan.service.stopDuring.restore) refuseSharers(plan.service.name, plan.sharers, live);
  if (plan.host.name === 'local') await refuseOwnFolders(plan, context.forbiddenPaths, signal);
  const stopping = [...plan.units, ...sharersToStop(plan)];
  const own = await Promise.all(stopping.map((unit) => unit.processes(signal)));
  await refuseHolders(plan, live, signal, new Set(own.flat()));
  const { files } = plan.host;
  for (const folder of new Set(plan.exchanges.map((exchange) => exchange.stage))) {
    const existing = await nearestExisting(parentOf(folder), files, signal); // that of a volume that is gone will be made
    const choices = new Set(plan.exchanges.filter((exchange) => exchange.stage === folder).map(({ choice }) => choice));
    await refuseFullDisk([...choices], { existing }, files, signal);
  }
}

/** A server reads its files when it starts, and writes them when it stops: one that nobody stops would write over what
 *  was restored.
 *  @throws Refused */
export function refuseUnstopped({
  service,
  exchanges,
  units,
}: Pick<InPlacePlan, 'service' | 'exchanges' | 'units'>): void {
  const [needed] = exchanges.filter(({ server }) => server !== undefined);
  if (needed === undefined || units.length > 0) return;
  const words = `${needed.server?.name} must be down while ${needed.path} is exchanged, and no unit of ${service.name} is stopped for a restore.`;
  throw new HoldfastError('Refused', words, needed.path, { hint: DECLARE_ITS_UNIT });
}

const DECLARE_ITS_UNIT =
  'Declare what stops it under `units` of the service, as { systemd: NAME.service }, with stopDuring: { restore: true }';

/** A repository that lies in what is exchanged would be set aside with the present state, and removed with it when its
 *  time is over; the state and its journal would be written into what was set aside. */
async function refuseOwnFolders(
  { host: { files }, exchanges }: InPlacePlan,
  own: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const folder of own) {
    if ((await files.status(folder, signal)) === null) continue;
    const real = await files.realPath(folder, signal);
    const around = exchanges.find(
      ({ path, present }) => present !== null && [real, folder].some((one) => isBelow(one, path)),
    );
    if (around === undefined) continue;
    const words = `${folder} belongs to Holdfast itself, and would be moved aside with ${around.path}, in which it lies.`;
    throw new HoldfastError('Refused', words, folder, {
      hint: 'Restore what lies beside it, each with: --path SUB, or all of it to a folder with: --to DIR',
    });
  }
}

/** A process that has the old data open goes on with them after a rename, and what it writes is in the kept state.
 *  @param stopped processes that will be stopped before */
export async function refuseHolders(
  { host, exchanges }: InPlacePlan,
  live: boolean,
  signal: AbortSignal,
  stopped: ReadonlySet<number> = new Set(),
): Promise<void> {
  for (const { path, present, presentCompanions, exclusive, server } of exchanges) {
    if (live && !exclusive) continue;
    const paths = [...(present === null ? [] : [path]), ...presentCompanions, ...(server?.heldAt ?? [])];
    const holders = new Set<string>();
    for (const held of paths) {
      for (const holder of await host.files.holders(held, signal))
        if (!stopped.has(Number(holder.split(' ', 1)[0]))) holders.add(holder);
    }
    if (holders.size === 0) continue;
    const words = `${path} is held by ${[...holders].join(', ')}.`;
    if (server !== undefined) throw new HoldfastError('TargetBusy', words, path, { hint: DECLARE_ITS_UNIT });
    const hint = exclusive ? {} : { hint: 'End these processes, or restore beneath them with: --live' };
    throw new HoldfastError('TargetBusy', words, path, hint);
  }
}

/** Only root sees what the processes of other accounts hold. */
export async function unseenHolders({ host, exchanges }: InPlacePlan, signal: AbortSignal): Promise<readonly string[]> {
  const exclusive = exchanges.filter((exchange) => exchange.exclusive).map(({ path }) => path);
  if (exclusive.length === 0 || (await userIdOf(host, signal)) === 0) return [];
  return [`Whether a process of another account holds ${exclusive.join(', ')} could not be seen without root`];
}
