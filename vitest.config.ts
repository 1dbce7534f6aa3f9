import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.ts';

export default defineConfig({
  test: {
    globalSetup: ['test/build.ts'],
    setupFiles: ['test/temporal-equality.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A second, which is what vitest waits, is not long beside other tests.
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    // Most tests wait for programs that they started, and vitest leaves one core of them idle.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
  },
});
