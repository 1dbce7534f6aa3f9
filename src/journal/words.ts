import { unitNameOf } from '../domain/unit-reference.ts';
import type { ForwardStep, Step } from './step.ts';

type WordsOf<Any extends { readonly kind: string }> = {
  readonly [Kind in Any['kind']]: (step: Extract<Any, { readonly kind: Kind }>) => string;
};

const BACK: WordsOf<Step> = {
  'path-renamed': ({ from, to }) => `rename ${to} to ${from}`,
  'path-made': ({ path }) => `remove ${path}`,
  'scratch-made': ({ path }) => `remove ${path}`,
  'container-made': ({ name }) => `remove container ${name}`,
  'folder-made': ({ path }) => `remove ${path}, if it is empty`,
  'unit-stopped': ({ unit }) => `start ${unitNameOf(unit)}`,
  'unit-started': ({ unit }) => `stop ${unitNameOf(unit)}`,
  'copy-made': ({ pool, name }) => `remove ${name} in the pool ${pool}`,
  'subvolume-exchanged': ({ pool, left, right }) => `exchange ${left} and ${right} in the pool ${pool} again`,
  'subvolume-renamed': ({ pool, from, to }) => `rename ${to} to ${from} in the pool ${pool}`,
  'database-made': ({ database }) => `drop database ${database}`,
  'database-swapped': ({ database, kept, copies = false }) =>
    copies
      ? `open database ${database} again; where it was deleted, fill it from ${kept}`
      : `give database ${database} its place back, if it is ${kept} by now`,
  remounted: ({ point }) => `mount ${point} again`,
};

const FORWARD: WordsOf<ForwardStep> = {
  'path-renamed': ({ from, to }) => `rename ${from} to ${to}`,
  'path-removed': ({ path }) => `remove ${path}`,
  'recovery-recorded': ({ recovery }) => `record the recovery of ${recovery.subject.name}`,
  'unit-started': ({ unit }) => `start ${unitNameOf(unit)}`,
  'images-taken': ({ unit }) => `give ${unitNameOf(unit)} its images back`,
  'subvolume-renamed': ({ pool, from, to }) => `rename ${from} to ${to} in the pool ${pool}`,
  'nested-moved': ({ pool, to }) => `move nested subvolumes to ${to} in the pool ${pool}`,
  'snapshot-made': ({ snapshot }) => `record the snapshot ${snapshot.name}`,
  remounted: ({ point }) => `mount ${point} again`,
};

/** What is to be done to take a step back, or to perform it, for people. */
export const wordsOf = {
  back: (step: Step): string => (BACK[step.kind] as (step: Step) => string)(step),
  forward: (step: ForwardStep): string => (FORWARD[step.kind] as (step: ForwardStep) => string)(step),
} as const;
