import process from 'node:process';
import { runService } from './http/run.ts';
import { startProductpage } from './productpage/service.ts';
import { parseProductpageSettings } from './productpage/settings.ts';

await runService('productpage', (address) => startProductpage(parseProductpageSettings(process.env), address));
