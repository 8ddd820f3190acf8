import { citadelService } from '@flotilla/citadel';
import { galleyService } from '@flotilla/galley';
import { pilotService } from '@flotilla/pilot';
import { agentSettings, captureSettings, staticSettings } from '@flotilla/proxy/settings';
import { type Service, settingsMarkdown, settingsOf, type SettingsTable } from '@flotilla/service';
import type { Page } from './page.ts';

interface Section {
  readonly title: string;
  readonly text: string;
  readonly settings: SettingsTable;
}

const ofService = (service: Service): Section => ({
  title: service.name,
  text: `${service.summary.charAt(0).toUpperCase()}${service.summary.slice(1)}.`,
  settings: settingsOf(service),
});

const SECTIONS: readonly Section[] = [
  ofService(citadelService),
  ofService(galleyService),
  ofService(pilotService),
  {
    title: 'proxy, of a workload or a gateway',
    text: 'The data plane with its identity: `proxy.mjs`, or `flotilla agent`.',
    settings: agentSettings,
  },
  {
    title: 'proxy, from a bootstrap file',
    text: 'The data plane from an Envoy bootstrap: `proxy.mjs -c FILE`.',
    settings: staticSettings,
  },
  {
    title: 'capture',
    text: "Turns a workload's connections to its proxy: `capture.mjs`, or `flotilla capture`.",
    settings: captureSettings,
  },
];

/** docs/settings.md: every setting of every service, from the tables that read them. */
export function settingsPage(): Page {
  return {
    file: 'docs/settings.md',
    render: () =>
      [
        '# Settings',
        INTRODUCTION,
        ...SECTIONS.map(({ title, text, settings }) => `## ${title}\n\n${text}\n\n${settingsMarkdown(settings)}`),
      ].join('\n\n'),
  };
}

const INTRODUCTION = `Each service is a program in \`dist/services\`, or \`flotilla <service>\` of the command line. A setting is given as an option or as
its variable; the option wins. A variable that takes several values separates them by commas.
Every fault of the settings is told at once, and the exit code is 2. \`--help\` prints the table of a service.

This page is generated from the tables in the code: \`npm run generate\`.`;
