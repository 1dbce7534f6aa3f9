import type { PointSummary } from '../domain/recovery-point.ts';
import type { GuardContext } from '../operations/guard-context.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { Candidate, NameSources } from './completion.ts';
import { remarkOf, timeForPeople } from './render/point.ts';

/** More than a person reads; who has typed some of an id is past this list. */
const POINTS_SHOWN = 200;

type Ports = Pick<GuardContext, 'services' | 'plans' | 'repositoryNames' | 'catalog' | 'pools'>;

/** Names from the configuration and the catalog alone: no repository is opened, so that a Tab takes no time and asks for
 *  no key. */
export function namesOf({ services, plans, repositoryNames, catalog, pools }: Ports): NameSources {
  const named = (value: string): Candidate => ({ value, description: '' });
  const newestOf = async (what: string): Promise<PointSummary | undefined> => {
    const [byService] = await catalog.points({ service: what });
    return byService ?? (what === '' ? undefined : (await catalog.pointsById(what))[0]);
  };
  return {
    services: async () =>
      [...services.values()].map(({ name, tier }) => ({ value: name, description: `${tier} service` })),
    repositories: async () => repositoryNames.map(named),
    plans: async () =>
      [...plans.values()].map(({ name, services: of }) => ({ value: name, description: of.join(' ') })),
    points: async () => (await catalog.points({})).slice(0, POINTS_SHOWN).map(described),
    items: async (what) => ((await newestOf(what))?.items ?? []).map(({ name }) => named(name)),
    subvolumes: async () =>
      [...pools.values()].flatMap(({ name, subvolumes }) =>
        [...subvolumes.keys()].map((value) => ({ value, description: `subvolume of ${name}` })),
      ),
    snapshots: async () => (await catalog.snapshots({})).slice(0, POINTS_SHOWN).map(snapshotDescribed),
  };
}

function described(point: PointSummary): Candidate {
  const { id, service, timestamp, outcome } = point;
  return { value: id, description: `${service} ${timeForPeople(timestamp)} ${outcome} ${remarkOf(point)}`.trim() };
}

function snapshotDescribed({ name, operation, madeAt, outcome }: Snapshot): Candidate {
  return { value: name, description: `${operation ?? ''} ${timeForPeople(madeAt)} ${outcome}`.trim() };
}
