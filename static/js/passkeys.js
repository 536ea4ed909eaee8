/* Passkeys: forms with data-passkey ask the device, put its answer into `credential`, and are sent.
   https://www.w3.org/TR/webauthn-3/ ; the server speaks base64url where the browser wants bytes. */

const decoded = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const encoded = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const withIds = (keys) => (keys ?? []).map((key) => ({ ...key, id: decoded(key.id) }));

async function makeKey({ publicKey }) {
  const created = await navigator.credentials.create({
    publicKey: {
      ...publicKey,
      challenge: decoded(publicKey.challenge),
      user: { ...publicKey.user, id: decoded(publicKey.user.id) },
      excludeCredentials: withIds(publicKey.excludeCredentials),
      authenticatorSelection: {
        ...publicKey.authenticatorSelection,
        residentKey: "required",
        requireResidentKey: true,
        userVerification: "required",
      },
    },
  });
  const { attestationObject, clientDataJSON } = created.response;
  return answer(created, {
    attestationObject: encoded(attestationObject),
    clientDataJSON: encoded(clientDataJSON),
    transports: created.response.getTransports?.() ?? [],
  });
}

async function useKey({ publicKey }) {
  const used = await navigator.credentials.get({
    publicKey: {
      ...publicKey,
      challenge: decoded(publicKey.challenge),
      allowCredentials: withIds(publicKey.allowCredentials),
    },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = used.response;
  return answer(used, {
    authenticatorData: encoded(authenticatorData),
    clientDataJSON: encoded(clientDataJSON),
    signature: encoded(signature),
    userHandle: userHandle ? encoded(userHandle) : null,
  });
}

function answer(credential, response) {
  return {
    id: credential.id,
    rawId: encoded(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

async function options(form) {
  if (form.dataset.passkey !== "login") return JSON.parse(document.getElementById("passkey-options").textContent);
  const said = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!said.ok) throw new Error(`${said.status}`);
  return (await said.json()).request_options;
}

function fail(form) {
  let line = form.querySelector("[data-problem]");
  if (!line) {
    line = document.createElement("p");
    line.dataset.problem = "";
    line.className = "t-red small";
    line.setAttribute("role", "alert");
    form.append(line);
  }
  line.textContent = form.dataset.failed;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const ask = form.dataset.passkey === "create" ? makeKey : useKey;
      form.elements.credential.value = JSON.stringify(await ask(await options(form)));
      form.submit();
    } catch {
      fail(form);
    }
  });
}
