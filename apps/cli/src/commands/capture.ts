import { captureMain } from '@flotilla/proxy/capture';

/** `flotilla capture`: everything behind the command's name belongs to it. */
export async function capture(): Promise<void> {
  await captureMain(process.argv.slice(process.argv.indexOf('capture') + 1), process.env);
}
