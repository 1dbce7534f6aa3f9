import { HoldfastError } from '../domain/errors.ts';
import type { Context } from './context.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import { sharersToStop } from './service-containers.ts';
import { type Serving, servers, servingOf } from './serving.ts';

type Served = Pick<InPlacePlan, 'service' | 'host' | 'databases' | 'applied' | 'units' | 'sharers'>;
type Ports = Pick<Context, 'unit' | 'containers'>;

/** What of the units that would stop serves the databases of a plan, and goes on therefore. */
export const servingPlan = async (plan: Served, context: Ports, signal: AbortSignal): Promise<Serving> => {
  const stopping = [...sharersToStop(plan), ...plan.units];
  return await servingOf(servers([...plan.databases, ...plan.applied]), stopping, plan.host, context, signal);
};

/** A server goes on while its databases are exchanged, so the files that it works on can not be exchanged with them: it
 *  would write over what was restored, or see it change beneath it.
 *  @throws Refused, also for what is restored with --live */
export async function refuseServersFiles(
  plan: Served & Pick<InPlacePlan, 'exchanges'>,
  context: Ports,
  signal: AbortSignal,
): Promise<void> {
  const { host, exchanges, databases, applied } = plan;
  if (databases.length + applied.length === 0 || exchanges.length === 0) return;
  const own = new Map<number, string>();
  for (const address of servers([...databases, ...applied])) {
    if (!('container' in address)) continue;
    const server = await context.unit({ kind: 'container', host: host.name, container: address.container });
    for (const pid of await server.processes(signal)) own.set(pid, `the server in ${address.container}`);
  }
  for (const pid of (await servingPlan(plan, context, signal)).processes) own.set(pid, `the server (process ${pid})`);
  for (const { path, present, choice } of exchanges) {
    const holders = present === null || own.size === 0 ? [] : await host.files.holders(path, signal);
    const server = holders.map((holder) => own.get(Number(holder.split(' ', 1)[0]))).find((one) => one !== undefined);
    if (server === undefined) continue;
    const words = `${path} (${choice.name}) holds the files of ${server}, which goes on while its databases are restored.`;
    throw new HoldfastError('Refused', words, path, {
      hint: 'Restore either of them, with: --item NAME. For guard, declare one of both sources in a service of its own',
    });
  }
}
