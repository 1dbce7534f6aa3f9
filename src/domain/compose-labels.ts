type Labels = Readonly<Record<string, string>>;

/** Labels that Compose gives its containers: the name of their project, and of their service in it. */
export const PROJECT_LABEL = 'com.docker.compose.project';
export const SERVICE_LABEL = 'com.docker.compose.service';
/** On what `compose run` made beside the services, as a boolean in one spelling or another. */
export const ONE_OFF_LABEL = 'com.docker.compose.oneoff';
/** The services that one needs. Compose 1 does not say it. */
export const NEEDS_LABEL = 'com.docker.compose.depends_on';

/** The folder of a container's project; undefined where its labels do not say it. */
export const projectFolderIn = (labels: Labels): string | undefined => labels[`${PROJECT_LABEL}.working_dir`];

/** The files that a container's project was made of, below `folder` where Compose 1 tells them as they were given. */
export const projectFilesIn = (labels: Labels, folder: string | null): readonly string[] =>
  (labels[`${PROJECT_LABEL}.config_files`] ?? '')
    .split(',')
    .filter((file) => file !== '')
    .map((file) => (file.startsWith('/') ? file : `${folder}/${file}`));
