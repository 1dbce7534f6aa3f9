import { HoldfastError } from '../domain/errors.ts';
import type { Problem, Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';

export interface RepositoryCheckReport {
  readonly repository: string;
  readonly outcome: 'passed' | 'failed';
  readonly points: number;
  readonly problems: readonly Problem[];
}

/** Looks at everything of a repository that can be told without reading the items: marker, key, names, sizes, modes, and
 *  every manifest. @throws RepositoryNotFound, WrongPassword and what opening it throws */
export async function repositoryCheck(
  name: string,
  context: Pick<Context, 'repository'>,
  signal: AbortSignal,
): Promise<RepositoryCheckReport> {
  const repository = await context.repository(name);
  const found = await repository.check(signal);
  const { points, unreadable } = await repository.list({}, signal);
  const known = new Set(found.map(({ subject }) => subject));
  const rows = unreadable.map(({ location, problem }) => ({ subject: location, detail: problem }));
  const problems = [...found, ...rows.filter(({ subject }) => !known.has(subject))];
  return { repository: name, outcome: problems.length === 0 ? 'passed' : 'failed', points: points.length, problems };
}

export interface RepositoryInitReport {
  readonly repository: string;
  readonly id: string;
}

/** Makes an empty repository and proves that its key opens what it seals. @throws Refused for one that exists;
 *  WrongPassword when what was sealed does not open */
export async function repositoryInit(
  name: string,
  context: Pick<Context, 'repository'>,
  signal: AbortSignal,
): Promise<RepositoryInitReport> {
  const repository = await context.repository(name);
  const { id } = await repository.initialize(signal);
  return { repository: name, id };
}

/** What {@link repositoryInit} would make. @throws Refused for one that exists, and what opening it throws */
export async function planRepositoryInit(
  name: string,
  context: Pick<Context, 'repository'>,
  signal: AbortSignal,
): Promise<Repository> {
  const repository = await context.repository(name);
  try {
    await repository.list({}, signal);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'RepositoryNotFound') return repository;
    throw error;
  }
  throw new HoldfastError('Refused', `The repository ${name} is there already.`, name, {
    hint: `See what is in it with: holdfast repository check ${name}`,
  });
}

/** What can be written where a repository lies; null for one elsewhere. */
export async function freeBytesOf(
  { capabilities }: Repository,
  { host }: Pick<Context, 'host'>,
  signal: AbortSignal,
): Promise<number | null> {
  if (capabilities.local === null) return null;
  return (await host('local')).files.freeBytes(capabilities.local, signal);
}
