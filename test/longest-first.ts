import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take longest, which a worker would else have for itself in the end. Vitest knows how long a file took only
 *  where it ran before, and goes by sizes elsewhere. */
const LONGEST = [
  'faults/kill',
  'units-containers',
  'faults/power-cut',
  'repositories',
  'tour',
  'e2e/interruption',
  'hosts-docker',
  'streams/damage',
  'faults/together',
  'faults/full-disk',
  'faults/damage',
  'guard/service-containers',
  'guard/containers',
  'guard/systemd',
  'guard/crash',
].map((name) => `/test/${name}.test.ts`);

function place({ moduleId }: TestSpecification): number {
  const found = LONGEST.findIndex((file) => moduleId.endsWith(file));
  return found < 0 ? LONGEST.length : found;
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}
