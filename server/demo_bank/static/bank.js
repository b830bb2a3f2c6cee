"use strict";
// The camera at the branch, an order's page that changes by itself, and which page it is for an agent to whom it is shown. Without this file a picture can be chosen and the page reloaded by hand.

const byId = (id) => document.getElementById(id);

function watchOrder(order) {
  if (order.dataset.settled === "yes") return;
  let pause = 1500;
  const look = async () => {
    try {
      const answer = await fetch(order.dataset.state, { cache: "no-store" });
      if (answer.ok && String((await answer.json()).version) !== order.dataset.version) {
        location.reload();
        return;
      }
      pause = 1500;
    } catch {
      pause = Math.min(2 * pause, 15000);
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
}

function branch(form) {
  const box = byId("camera"), video = byId("preview"), told = byId("told"), start = byId("start"), take = byId("take");
  const say = (text, calm = false) => {
    told.textContent = text;
    told.classList.toggle("calm", calm);
  };
  let stream = null;
  const stop = () => {
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
  };
  start.addEventListener("click", async () => {
    say("");
    if (!navigator.mediaDevices) {
      say(box.dataset.insecure);
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } },
      });
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
      start.hidden = true;
      take.hidden = false;
      take.focus();
    } catch {
      stop();
      say(box.dataset.denied);
    }
  });
  take.addEventListener("click", async () => {
    if (!form.elements.namedItem("consent").checked) {
      say(box.dataset.consent);
      form.elements.namedItem("consent").focus();
      return;
    }
    const picture = document.createElement("canvas");
    picture.width = video.videoWidth;
    picture.height = video.videoHeight;
    picture.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => picture.toBlob(done, "image/jpeg", 0.92));
    const sent = new FormData();
    sent.append("form_token", form.elements.namedItem("form_token").value);
    sent.append("consent", "yes");
    sent.append("image", blob, "photograph.jpg");
    take.disabled = true;
    say(box.dataset.sending, true);
    try {
      const answer = await fetch("/branch", { method: "POST", body: sent, headers: { Accept: "application/json" } });
      const said = await answer.json();
      if (answer.ok) {
        stop();
        location.assign(said.next);
        return;
      }
      say(said.advice.join(" "));
    } catch {
      say(box.dataset.unreachable);
    }
    take.disabled = false;
  });
  addEventListener("pagehide", stop);
}

if ("Tongping" in window) {
  const { step, customer } = byId("content").dataset;
  Tongping.identify({ customer }); // "" where nobody is signed in: what another customer shared ends
  Tongping.journey(step);
  for (const out of document.querySelectorAll('form[action="/sign-out"]')) out.addEventListener("submit", () => Tongping.stop());
}
const order = byId("order");
if (order) watchOrder(order);
const form = byId("branch");
if (form) branch(form);
