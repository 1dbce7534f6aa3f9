import { didYouMean } from '../domain/nearest.ts';
import type { Path, Problem } from './diagnostic.ts';
import type { Configuration } from './schema.ts';
import { valueAt } from './walk.ts';

interface Reference {
  readonly path: Path;
  readonly name: string;
  readonly kind: string;
  /** The mapping that declares such names. */
  readonly among: Path;
}

/** Every name that stands for something declared elsewhere. */
function references({ services = {}, plans = {}, notifications = [] }: Configuration): Reference[] {
  const found: Reference[] = [];
  const one = (name: string | undefined, path: Path, kind: string, among: Path): void => {
    if (name !== undefined) found.push({ path, name, kind, among });
  };
  const each = (names: readonly string[] | undefined, path: Path, kind: string, among: string): void => {
    for (const [index, name] of (names ?? []).entries()) one(name, [...path, index], kind, [among]);
  };
  for (const [name, { host, dependsOn, checks = [] }] of Object.entries(services)) {
    const path = ['services', name];
    if (host !== 'local') one(host, [...path, 'host'], 'host', ['hosts']);
    each(dependsOn, [...path, 'dependsOn'], 'service', 'services');
    for (const [index, check] of checks.entries())
      if (check.sql !== undefined)
        one(check.sql.source, [...path, 'checks', index, 'sql', 'source'], 'source of this service', [
          ...path,
          'sources',
        ]);
  }
  for (const [name, plan] of Object.entries(plans)) {
    const path = ['plans', name];
    if (plan.services !== '*') each(plan.services, [...path, 'services'], 'service', 'services');
    each(plan.repositories, [...path, 'repositories'], 'repository', 'repositories');
    each(plan.send?.repositories, [...path, 'send', 'repositories'], 'repository', 'repositories');
  }
  for (const [index, { plans: named }] of notifications.entries())
    each(named, ['notifications', index, 'plans'], 'plan', 'plans');
  return found;
}

function unknownNames(configuration: Configuration, written: unknown): Problem[] {
  return references(configuration).flatMap(({ path, name, kind, among }) => {
    const declared = Object.keys(Object(valueAt(written, among)));
    if (declared.includes(name)) return [];
    const listed = declared.length === 0 ? ' None is declared.' : ` There are: ${declared.join(', ')}.`;
    const message = `There is no ${kind} "${name}".${didYouMean(name, declared) || listed}`;
    return [{ path, at: 'value' as const, message }];
  });
}

/** Lists in which a name must not stand twice: it would be backed up or written twice. */
function repeatedNames({ plans = {} }: Configuration): Problem[] {
  return Object.entries(plans).flatMap(([plan, { services, repositories, subvolumes }]) =>
    Object.entries({ services, repositories, subvolumes }).flatMap(([key, names]) =>
      (Array.isArray(names) ? names : []).flatMap((name, index, all) =>
        all.indexOf(name) === index
          ? []
          : [{ path: ['plans', plan, key, index], at: 'value' as const, message: `"${name}" stands here twice.` }],
      ),
    ),
  );
}

/** Names that stand for nothing, and names that stand twice in a list. `written` is all that was declared, also what is
 *  faulty in itself: that is there, and blamed for its own faults only. */
export const brokenReferences = (configuration: Configuration, written: unknown): Problem[] => [
  ...unknownNames(configuration, written),
  ...repeatedNames(configuration),
];
