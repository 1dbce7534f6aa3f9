import type { Container } from '../../src/domain/containers.ts';
import type { Containers, Execution } from '../../src/ports/containers.ts';

export interface MemoryContainers extends Containers {
  all: readonly Container[];
  /** In the order in which they ran; `onLine` is left out. */
  readonly executed: Omit<Execution, 'onLine'>[];
  /** Throws for a command that fails. */
  onExecute: (execution: Execution) => void;
}

/** An engine in memory. */
export function memoryContainers(all: readonly Container[] = []): MemoryContainers {
  const containers: MemoryContainers = {
    all,
    executed: [],
    onExecute: () => {},
    get present() {
      return containers.all.length > 0;
    },
    list: async (signal) => {
      signal.throwIfAborted();
      return containers.all;
    },
    execute: async (execution, signal) => {
      signal.throwIfAborted();
      const { container, argv, purpose, user } = execution;
      containers.executed.push({ container, argv, purpose, user });
      containers.onExecute(execution);
    },
  };
  return containers;
}
