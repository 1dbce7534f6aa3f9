import * as z from 'zod';
import type { SeenContainer } from '../domain/found-container.ts';

/** Docker Engine API 1.41, ContainerInspect; podman prints the same names. */
const inspectSchema = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Config: z.object({
      Image: z.string().default(''),
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
    Mounts: z
      .array(
        z.object({
          Type: z.string(),
          Name: z.string().default(''),
          Source: z.string().default(''),
          Destination: z.string(),
          RW: z.boolean().default(true),
        }),
      )
      .nullish(),
    NetworkSettings: z
      .object({ Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullish()).nullish() })
      .nullish(),
  }),
);

/** What `docker container inspect` prints; nothing where it cannot be read. */
export function parseInspected(printed: string): readonly SeenContainer[] {
  let document: unknown;
  try {
    document = JSON.parse(printed);
  } catch {
    return []; // there is no engine
  }
  const { data = [] } = inspectSchema.safeParse(document);
  return data.map(({ Id, Name, Config, Mounts, NetworkSettings }) => ({
    id: Id,
    name: Name.replace(/^\//, ''),
    image: Config.Image,
    environment: new Map(
      (Config.Env ?? []).map((line): [string, string] => {
        const at = line.indexOf('=');
        return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
      }),
    ),
    labels: Config.Labels ?? {},
    mounts: (Mounts ?? []).map(({ Type, Name: name, Source, Destination, RW }) => ({
      type: Type,
      name,
      source: Source,
      target: Destination,
      writable: RW,
    })),
    ports: new Map(
      Object.entries(NetworkSettings?.Ports ?? {}).flatMap(([port, published]) => {
        const number = Number(published?.[0]?.HostPort);
        return number > 0 ? [[port, number] as const] : [];
      }),
    ),
  }));
}
