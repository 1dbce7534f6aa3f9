import { existsSync } from 'node:fs';
import type { Face } from './cli/face.ts';
import type { Definitions } from './config/definitions.ts';
import { HoldfastError } from './domain/errors.ts';
import { drillSteps } from './drills.ts';
import type { OpenHost } from './hosts.ts';
import { type Journal, openEntries } from './journal/journal.ts';
import type { StepPorts } from './journal/step.ts';
import type { Context } from './operations/context.ts';
import { recordFinishedRecovery, recordFoundSnapshot, withAdvice } from './operations/left-guards.ts';
import type { Catalog } from './ports/catalog.ts';
import type { Owners } from './ports/owner.ts';

interface StepParts extends Pick<Context, 'source' | 'snapshotter' | 'unit'> {
  readonly host: OpenHost;
  readonly mounts: StepPorts['mounts'];
  readonly services: Definitions['services'];
  /** False for a command that was given a repository's location: what it knows is forgotten when it ends. */
  readonly configured: boolean;
  catalog(): Promise<Catalog>;
}

/** What a journal reaches when it takes steps back or goes on with them. */
export function stepPorts({ services, configured, catalog, source, ...parts }: StepParts): StepPorts {
  const { host, unit, snapshotter, mounts } = parts;
  return {
    host,
    unit,
    snapshotter,
    mounts,
    async recordRecovery(recovery) {
      if (!configured)
        throw new HoldfastError('ConfigurationMissing', 'The catalog is not known without a configuration.', 'catalog');
      await recordFinishedRecovery(recovery, await catalog());
    },
    recordNewSnapshot: async (snapshot) => recordFoundSnapshot(snapshot, await catalog()),
    async databases({ service, source: name, drill }) {
      const declared = services.get(service);
      const definition = declared?.sources.find((one) => one.name === name);
      const opened = declared && definition && (await source(declared, definition));
      const found = drill ? opened?.drillServer?.databases : opened?.databases;
      if (found) return found;
      throw new HoldfastError('ConfigurationInvalid', `${service} has no source ${name} of databases any more.`, name);
    },
    ...drillSteps(() => host('local')),
  };
}

interface LeftOpen {
  /** The journal's path; nothing has to be there. */
  readonly path: string;
  readonly owners: Owners;
  /** Whether the command writes: only such a one repairs. */
  readonly writes: boolean;
  journal(): Promise<Journal>;
  catalog(): Promise<Catalog>;
}

/** A crash left steps open: a command that writes puts them right first, one that reads only says so. */
export async function repairLeftOpen(
  { path, owners, writes, journal, catalog }: LeftOpen,
  { note, signal }: Pick<Face, 'note' | 'signal'>,
): Promise<void> {
  if (!existsSync(path) || openEntries(path, owners).every(({ state }) => state === 'running')) return;
  if (!writes) return note('A run that was cut short left open steps: holdfast doctor');
  const repairs = await (await journal()).repair({ force: false }, signal);
  for (const { entry, outcome, detail, became, advice } of await withAdvice(repairs, await catalog())) {
    if (outcome === 'skipped') continue;
    note(became ?? `${entry.verb} ${entry.subject}, cut short earlier: ${outcome}, ${detail}`);
    if (advice !== null) note(`  next: ${advice}`);
  }
}
