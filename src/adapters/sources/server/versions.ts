import { HoldfastError } from '../../../domain/errors.ts';

export interface Compared {
  /** As it is called: `pg_dump`. */
  readonly tool: string;
  readonly toolVersion: string;
  /** As people call it: `PostgreSQL`. */
  readonly server: string;
  readonly serverVersion: string;
  /** Where both are, for people: `local`, `container pg`. */
  readonly where: string;
}

/** How many numbers of a version have to be equal or higher in the tool: PostgreSQL 15 has one, MariaDB 10.11 two. */
export function refuseOlderTool({ tool, toolVersion, server, serverVersion, where }: Compared, parts: number): void {
  const numbers = (version: string): number[] => (version.match(/\d+/g) ?? []).slice(0, parts).map(Number);
  const [own, its] = [numbers(toolVersion), numbers(serverVersion)];
  const place = its.findIndex((number, index) => number !== (own[index] ?? 0));
  if (place < 0 || (own[place] ?? 0) > (its[place] ?? 0)) return;
  const words = `${tool} ${toolVersion} on host ${where} is older than the server, ${server} ${serverVersion}.`;
  throw new HoldfastError('ToolMissing', words, tool, {
    hint: `Install the tools of ${server} ${its.join('.')} or later, or let those of its container be used: container`,
  });
}
