import { KEPT_DAYS } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { Safety } from './safety-point.ts';
import { sharersToStop } from './service-containers.ts';

/** What a restore in place does, in its order, each line in words. */
export function inPlaceSteps(plan: InPlacePlan, safety: Safety | null): readonly string[] {
  const { exchanges, databases, applied, checks } = plan;
  const units = [...plan.units, ...sharersToStop(plan)];
  const kept = safety === null ? [] : [`Make a safety point of what is there now of ${[...safety.sources].join(', ')}`];
  const roles = applied.map(({ choice }) => `Make what is missing of ${choice.name}`);
  const fills = databases.map(
    ({ choice, database }) => `Restore ${database} from ${choice.name} under a new name, and count it`,
  );
  const stops = units.toReversed().map(({ name }) => `Stop ${name}, if it runs`);
  const starts = units.map(({ name }) => `Start ${name}, if it ran, and wait until it is healthy`);
  const asked = checks.map(({ name }) => `Check ${name}`);
  return [
    ...[...kept, ...roles, ...fills, ...stops],
    ...exchanges.map(pathStep),
    ...databases.map(databaseStep),
    ...[...starts, ...asked],
  ];
}

function pathStep({ choice, path, present, way, stays = false }: InPlacePlan['exchanges'][number]): string {
  if (way === 'nested') return `Restore ${path} from ${choice.name}, within the folder that is restored around it`;
  if (present === null) return `Restore ${path} from ${choice.name}; nothing is there now`;
  const what = way === 'contents' ? `the contents of ${path}, ${stays ? 'a volume' : 'a mount point'},` : path;
  return `Set ${what} aside for ${KEPT_DAYS} days, and restore it from ${choice.name}`;
}

const databaseStep = ({ database, present, kept }: InPlacePlan['databases'][number]): string =>
  present ? `Rename ${database} to ${kept}, and give the new one its name` : `Give the new one the name ${database}`;
