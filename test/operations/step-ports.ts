import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { StepPorts } from '../../src/journal/step.ts';
import type { Catalog } from '../../src/ports/catalog.ts';

/** What steps of operations on services need: the real host, and neither pools nor mounts. */
export const portsOf = (catalog: Pick<Catalog, 'recordRecovery'>): Omit<StepPorts, 'unit'> => ({
  host: async () => localHost(),
  recordRecovery: catalog.recordRecovery,
  snapshotter: async () => Promise.reject(new Error('No pool is opened here.')),
  recordNewSnapshot: async () => Promise.reject(new Error('No snapshot is recorded here.')),
  databases: async () => Promise.reject(new Error('No server is opened here.')),
  endScratch: async () => Promise.reject(new Error('Nothing is drilled here.')),
  removeContainer: async () => Promise.reject(new Error('Nothing is drilled here.')),
  mounts: { show: async () => Promise.reject(new Error('Nothing is mounted here.')) },
});
