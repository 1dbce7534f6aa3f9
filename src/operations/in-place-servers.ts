import { HoldfastError } from '../domain/errors.ts';
import type { Context } from './context.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import { serversOf } from './units.ts';

type Looked = Pick<InPlacePlan, 'host' | 'exchanges' | 'databases' | 'applied'>;

/** A server goes on while its databases are exchanged, so the files that it works on can not be exchanged with them: it
 *  would write over what was restored, or see it change beneath it.
 *  @throws Refused, also for what is restored with --live */
export async function refuseServersFiles(
  { host, exchanges, databases, applied }: Looked,
  { unit }: Pick<Context, 'unit'>,
  signal: AbortSignal,
): Promise<void> {
  for (const container of serversOf([...databases, ...applied].map((one) => one.databases))) {
    const server = await unit({ kind: 'container', host: host.name, container });
    const own = new Set(await server.processes(signal));
    for (const { path, present, choice } of exchanges) {
      const holders = present === null ? [] : await host.files.holders(path, signal);
      if (!holders.some((holder) => own.has(Number(holder.split(' ', 1)[0])))) continue;
      const words = `${path} (${choice.name}) holds the files of the server in ${container}, which goes on while its databases are restored.`;
      throw new HoldfastError('Refused', words, path, {
        hint: 'Restore either of them, with: --item NAME. For guard, declare one of both sources in a service of its own',
      });
    }
  }
}
