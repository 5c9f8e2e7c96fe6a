/**
 * `fleet credentials`: the administrator's login and the password of the off-site repository, for the eyes
 * of who asks. Recorded nowhere.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import { offsiteRepository } from "../../components/settings";
import { connect } from "../cluster";
import { UsageError } from "../errors";
import type { Register } from "../fleet";
import { chooseStack, readSettings } from "../stacks";

export const registerCredentials: Register = (program, run) => {
  const command = program
    .command("credentials")
    .description(
      "prints the administrator's first password, and the off-site repository's; only on a terminal, or with --show",
    )
    .argument("<stack>", "stack")
    .option("--show", "print it although stdout is no terminal")
    .action((name: string, { show }: { show?: boolean }) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const settings = await readSettings(fleet, stack);
        if (!show && !process.stdout.isTTY) {
          throw new UsageError("stdout is no terminal, and may be recorded: say --show");
        }
        const { core } = await connect(fleet, settings.cluster);
        const secret = async (secretName: string) => {
          const fieldSelector = `metadata.name=${secretName}`;
          const { items } = await core.listNamespacedSecret({
            namespace: NAMESPACE,
            fieldSelector,
          });
          const data = items[0]?.data;
          if (!data)
            throw new UsageError(`there is no Secret ${secretName}: deploy the stack first`);
          return (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
        };
        const value = await secret(NAMES.web);
        const repository = offsiteRepository(settings)?.url;
        const offsite = repository && {
          repository,
          password: (await secret(NAMES.offsite))("repository-password"),
        };
        const login = {
          stack: name,
          url: `https://${settings.domain}/`,
          username: value("matomo-username"),
          password: value("matomo-password"),
          ...(offsite && { offsite }),
        };
        const lines = [
          login.url,
          `login     ${login.username}`,
          `password  ${login.password}`,
          ...(offsite ? ["", offsite.repository, `password  ${offsite.password}`] : []),
        ];
        return { ok: true, json: login, text: lines.join("\n") };
      }),
    );
};
