import { isAbsolute, relative } from 'node:path';
import { didYouMean } from '../domain/nearest.ts';
import { parsePercentage } from '../domain/size.ts';
import type { Path, Problem } from './diagnostic.ts';
import { archiveProblems } from './repositories.ts';
import type { Configuration } from './schema.ts';

const entries = <Value>(record: Readonly<Record<string, Value>> | undefined): [string, Value][] =>
  Object.entries(record ?? {});

interface Reference {
  readonly path: Path;
  readonly name: string;
  readonly kind: string;
  readonly known: Iterable<string>;
}

/** Every name that stands for something declared elsewhere, with what is declared there. */
function references(configuration: Configuration): Reference[] {
  const { services = {}, plans = {}, repositories = {}, hosts = {} } = configuration;
  const found: Reference[] = [];
  const each = (names: readonly string[] | undefined, path: Path, kind: string, known: object): void => {
    for (const [index, name] of (names ?? []).entries())
      found.push({ path: [...path, index], name, kind, known: Object.keys(known) });
  };
  for (const [name, service] of entries(services)) {
    const path = ['services', name];
    if (service.host !== undefined)
      found.push({
        path: [...path, 'host'],
        name: service.host,
        kind: 'host',
        known: ['local', ...Object.keys(hosts)],
      });
    each(service.dependsOn, [...path, 'dependsOn'], 'service', services);
    for (const [index, check] of (service.checks ?? []).entries())
      if ('sql' in check)
        found.push({
          path: [...path, 'checks', index, 'sql', 'source'],
          name: check.sql.source,
          kind: 'source of this service',
          known: Object.keys(service.sources),
        });
  }
  for (const [name, plan] of entries(plans)) {
    const path = ['plans', name];
    if (plan.services !== '*') each(plan.services, [...path, 'services'], 'service', services);
    each(plan.repositories, [...path, 'repositories'], 'repository', repositories);
    each(plan.send?.repositories, [...path, 'send', 'repositories'], 'repository', repositories);
    const own = Object.fromEntries((plan.subvolumes ?? []).map((subvolume) => [subvolume, true]));
    each(plan.send?.subvolumes, [...path, 'send', 'subvolumes'], 'subvolume of this plan', own);
  }
  for (const [index, { plans: named }] of (configuration.notifications ?? []).entries())
    each(named, ['notifications', index, 'plans'], 'plan', plans);
  return found;
}

function unknownNames(configuration: Configuration): Problem[] {
  return references(configuration).flatMap(({ path, name, kind, known }) => {
    const names = [...known];
    if (names.includes(name)) return [];
    const hint =
      didYouMean(name, names) || (names.length === 0 ? ' None is declared.' : ` There are: ${names.join(', ')}.`);
    return [{ path, at: 'value' as const, message: `There is no ${kind} "${name}".${hint}` }];
  });
}

/** Lists in which a name must not stand twice: it would be backed up or written twice. */
function repeatedNames({ plans }: Configuration): Problem[] {
  return entries(plans).flatMap(([plan, { services, repositories, subvolumes }]) =>
    Object.entries({ services, repositories, subvolumes }).flatMap(([key, names]) =>
      (Array.isArray(names) ? names : []).flatMap((name, index, all) =>
        all.indexOf(name) === index
          ? []
          : [{ path: ['plans', plan, key, index], at: 'value' as const, message: `"${name}" stands here twice.` }],
      ),
    ),
  );
}

/** A service that has to be restored before itself. */
function circles({ services = {} }: Configuration): Problem[] {
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (services[from]?.dependsOn ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return Object.keys(services)
    .filter((name) => reaches(name, name, new Set()))
    .map((name) => ({
      path: ['services', name, 'dependsOn'],
      at: 'value',
      message: `"${name}" depends on itself, directly or through others.`,
    }));
}

function services({ services, hosts }: Configuration): Problem[] {
  const local = Object.hasOwn(hosts ?? {}, 'local')
    ? [
        {
          path: ['hosts', 'local'],
          at: 'key' as const,
          message: '"local" is this machine and always exists: use another name.',
        },
      ]
    : [];
  const empty = entries(services)
    .filter(([, { sources }]) => Object.keys(sources).length === 0)
    .map(([name]) => ({
      path: ['services', name, 'sources'],
      at: 'key' as const,
      message: 'A service needs at least one source.',
    }));
  return [...local, ...empty];
}

function plans({ plans, pools }: Configuration): Problem[] {
  return entries(plans).flatMap(([name, { subvolumes, anomaly }]) => {
    const problems: Problem[] = [];
    if (subvolumes && Object.keys(pools ?? {}).length === 0)
      problems.push({
        path: ['plans', name, 'subvolumes'],
        at: 'key',
        message: 'There is no pool in which they could be.',
      });
    if (anomaly && anomaly.shrink !== undefined && parsePercentage(anomaly.shrink) > 1)
      problems.push({
        path: ['plans', name, 'anomaly', 'shrink'],
        at: 'value',
        message: 'Nothing shrinks by more than 100%.',
      });
    return problems;
  });
}

/** Two names for one folder: points would be counted as two copies, and pruned twice. */
function sharedFolders({ repositories }: Configuration): Problem[] {
  const seen = new Map<string, string>();
  return entries(repositories).flatMap(([name, repository]) => {
    if (repository.engine !== 'archive') return [];
    const other = seen.get(repository.path);
    seen.set(repository.path, other ?? name);
    const message = `The repository "${other}" has this folder already.`;
    return other === undefined ? [] : [{ path: ['repositories', name, 'path'], at: 'value' as const, message }];
  });
}

/** What is wrong in a configuration whose every part is right by itself. Paths in it are absolute. */
export const brokenReferences = (configuration: Configuration): Problem[] =>
  [unknownNames, repeatedNames, circles, services, plans, sharedFolders, archiveProblems].flatMap((look) =>
    look(configuration),
  );

const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
};

/** What works and is probably not meant. */
export function doubts({ repositories, services }: Configuration): Problem[] {
  const problems: Problem[] = [];
  for (const [name, repository] of entries(repositories)) {
    if (repository.engine !== 'archive') continue;
    const { encryption, path } = repository;
    if (encryption && 'age' in encryption && (encryption.age.identities ?? []).length === 0)
      problems.push({
        path: ['repositories', name, 'encryption'],
        at: 'key',
        message: 'Without identities this machine cannot restore or verify what it seals.',
      });
    for (const [service, { host, sources }] of entries(services)) {
      if (host !== undefined && host !== 'local') continue;
      for (const [source, settings] of entries(sources as Record<string, { readonly files?: readonly string[] }>))
        for (const [index, tree] of (settings.files ?? []).entries())
          if (isInside(path, tree))
            problems.push({
              path: ['services', service, 'sources', source, 'files', index],
              at: 'value',
              message: `The repository "${name}" (${path}) lies in it, and is left out of the backup.`,
            });
    }
  }
  return problems;
}
