import type { FoundSource, Settings } from '../domain/proposal.ts';
import type { Host } from '../ports/host.ts';

/** What is looked at. */
export interface Machine {
  readonly host: Host;
  /** Variables by which a client finds its container engine, as DOCKER_HOST; empty for most. */
  readonly engine: Readonly<Record<string, string>>;
  /** Tries whether a database server could be dumped with these settings: reaches it and asks what there is. Sources of
   *  other kinds are only looked up. @returns why not, in words; null when it could */
  whyNotCaptured(settings: Settings, signal: AbortSignal): Promise<string | null>;
}

/** The first way that works, else the first with what is against it; null when there is none. */
export async function firstThatWorks(
  name: string,
  ways: readonly Settings[],
  { whyNotCaptured }: Machine,
  signal: AbortSignal,
): Promise<FoundSource | null> {
  let first: FoundSource | null = null;
  for (const settings of ways) {
    const found = { name, settings, problem: await whyNotCaptured(settings, signal) };
    if (found.problem === null) return found;
    first ??= found;
  }
  return first;
}
