import { isAbsolute, relative } from 'node:path';
import { parsePercentage } from '../domain/size.ts';
import type { Problem } from './diagnostic.ts';
import { archiveProblems } from './repositories.ts';
import type { Configuration } from './schema.ts';
import { twins } from './twins.ts';

const entries = <Value>(record: Readonly<Record<string, Value>> | undefined): [string, Value][] =>
  Object.entries(record ?? {});

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
  return [...local, ...empty, ...entries(services).flatMap(([name, { sources }]) => twins(name, sources))];
}

function plans({ plans, pools }: Configuration): Problem[] {
  return entries(plans).flatMap(([name, { subvolumes, anomaly, send }]) => {
    const problems: Problem[] = [];
    const strange = (send?.subvolumes ?? []).entries().filter(([, one]) => !subvolumes?.includes(one));
    for (const [index, one] of strange)
      problems.push({
        path: ['plans', name, 'send', 'subvolumes', index],
        at: 'value',
        message: `"${one}" is no subvolume of this plan.`,
      });
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

/** Two names for one pool: its snapshots would be pruned twice, by two policies. And a subvolume that would be taken for
 *  the folder of all snapshots. */
function pools({ pools }: Configuration): Problem[] {
  const seen = new Map<string, string>();
  return entries(pools).flatMap(([name, { path, snapshots = 'snapshots', subvolumes }]) => {
    const problems: Problem[] = [];
    const other = seen.get(path);
    seen.set(path, other ?? name);
    if (other !== undefined)
      problems.push({
        path: ['pools', name, 'path'],
        at: 'value',
        message: `The pool "${other}" has this folder already.`,
      });
    const [folder = ''] = snapshots.split('/');
    if (Object.hasOwn(subvolumes ?? {}, folder))
      problems.push({
        path: ['pools', name, 'subvolumes', folder],
        at: 'key',
        message: `Snapshots of this pool are kept in "${snapshots}", so this cannot be a subvolume.`,
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
export const contradictions = (configuration: Configuration): Problem[] =>
  [circles, services, plans, pools, sharedFolders, archiveProblems].flatMap((look) => look(configuration));

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
