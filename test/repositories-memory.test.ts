import { systemClock } from '../src/process/clock.ts';
import { repositoryContract } from './contracts/repository.ts';
import type { RepositoryFixture } from './contracts/stored-points.ts';
import { memoryRepository } from './fakes/repository.ts';

async function memory(): Promise<RepositoryFixture> {
  const repository = memoryRepository({ clock: systemClock });
  await repository.initialize(new AbortController().signal);
  return {
    repository,
    again: () => repository,
    damage: async ({ location }, item) => repository.damage(location, item),
    [Symbol.asyncDispose]: async () => {},
  };
}

repositoryContract('in memory', memory);
