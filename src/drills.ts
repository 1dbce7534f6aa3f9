import { SCRATCHES, SOURCES } from './adapters/registry.ts';
import { HoldfastError } from './domain/errors.ts';
import type { StepPorts } from './journal/step.ts';
import type { DrillContext } from './operations/drill-context.ts';

/** How a drill opens an instance for items of a kind. @throws Unsupported for one that it cannot drill yet */
const openScratchOf: DrillContext['scratch'] = async (kind) => {
  const open = SCRATCHES.get(kind);
  if (open !== undefined) return await open();
  const row = SOURCES.get(kind);
  if (row !== undefined && (await row.load()).format.tree) return null;
  throw new HoldfastError('Unsupported', `This version drills no items of kind ${kind} yet.`, kind, {
    hint: 'Restore it and look: holdfast restore POINT --item NAME --to DIR',
  });
};

/** What drills need of this machine, loaded when one runs. */
export const drillPorts = (
  local: () => ReturnType<DrillContext['host']>,
): Pick<DrillContext, 'scratch' | 'scratchPlace' | 'restoredChecks'> => ({
  scratch: openScratchOf,
  scratchPlace: async (folder, signal) =>
    (await import('./process/scratch.ts')).scratchPlace(folder, await local(), signal),
  restoredChecks: async (...wanted) => (await import('./restored-checks.ts')).restoredChecks(...wanted),
});

/** Ends what a drill left running. */
export const endScratch: StepPorts['endScratch'] = async (path, signal) =>
  (await import('./process/marked.ts')).endMarked(path, signal);
