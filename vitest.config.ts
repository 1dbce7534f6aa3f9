import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What is refused there because any process of the machine holds a mount must not meet the mounts of other tests. */
const ALONE = ['test/guard/**/*.test.ts'];

/** Most tests wait for programs that they started, and vitest leaves one core of them idle. */
const WORKERS = availableParallelism() + 2;

export default defineConfig({
  test: {
    setupFiles: ['test/temporal-equality.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side',
          include: ['test/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
