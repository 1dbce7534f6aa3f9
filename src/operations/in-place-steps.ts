import { KEPT_DAYS } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { Safety } from './safety-point.ts';
import { sharersToStop } from './service-containers.ts';
import { goesOn, type Serving } from './serving.ts';

/** What a restore in place does, in its order, each line in words. */
export function inPlaceSteps(plan: InPlacePlan, safety: Safety | null, serving: Serving): readonly string[] {
  const { exchanges, databases, applied, checks } = plan;
  const all = [...plan.units, ...sharersToStop(plan)];
  const units = all.filter((unit) => !goesOn(unit, serving));
  const spared = all
    .filter((unit) => goesOn(unit, serving))
    .map(({ name }) => `Leave ${name} up: its databases are exchanged`);
  const kept = safety === null ? [] : [`Make a safety point of what is there now of ${[...safety.sources].join(', ')}`];
  const roles = applied.map(({ choice }) => `Make what is missing of ${choice.name}`);
  const fills = databases.flatMap(({ choice, database, returns = false }) =>
    returns ? [] : [`Restore ${database} from ${choice.name} under a new name, and count it`],
  );
  const stops = units.toReversed().map(({ name }) => `Stop ${name}, if it runs`);
  const starts = units.map(({ name }) => `Start ${name}, if it ran, and wait until it is healthy`);
  const asked = checks.map(({ name }) => `Check ${name}`);
  return [
    ...[...kept, ...roles, ...fills, ...spared, ...stops],
    ...exchanges.map(pathStep),
    ...databases.map(databaseStep),
    ...[...starts, ...asked],
  ];
}

function pathStep(exchange: InPlacePlan['exchanges'][number]): string {
  const { choice, path, present, way, stays = false, prepare = null } = exchange;
  if (prepare !== null) return `Make the volume of ${path} anew, with no options, and restore it from ${choice.name}`;
  if (way === 'nested') return `Restore ${path} from ${choice.name}, within the folder that is restored around it`;
  if (present === null) return `Restore ${path} from ${choice.name}; nothing is there now`;
  const what = way === 'contents' ? `the contents of ${path}, ${stays ? 'a volume' : 'a mount point'},` : path;
  return `Set ${what} aside for ${KEPT_DAYS} days, and restore it from ${choice.name}`;
}

function databaseStep(exchange: InPlacePlan['databases'][number]): string {
  const { database, present, kept, staged, returns = false, databases } = exchange;
  const coming = returns ? staged : 'the new one';
  if (databases.copies) {
    if (!present) return `Fill ${database} anew from ${coming}, and remove that`;
    const close = `Close ${database} to all but admins of its server`;
    return `${close}, copy it to ${kept}, keep that for ${KEPT_DAYS} days, and fill ${database} anew from ${coming}`;
  }
  if (!present) return `Give ${coming} the name ${database}`;
  return `Rename ${database} to ${kept}, keep it for ${KEPT_DAYS} days, and give ${coming} its name`;
}
