// A phone in a browser: registers, answers whoever calls, calls where it is told to, and tells the page's server what it hears.
import JsSIP from "jssip";

const said = new URLSearchParams(location.search);
const tell = (what) => fetch("/tell", { method: "POST", body: what });
window.addEventListener("error", (event) => tell(`error ${event.message}`));
window.addEventListener("unhandledrejection", (event) => tell(`error ${event.reason}`));

// Whatever a browser does for people's voices would spoil a tone.
const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const options = { mediaConstraints: { audio, video: false }, pcConfig: { iceServers: [] } };

const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(said.get("ws"))],
  uri: said.get("uri"),
  password: said.get("password"),
  session_timers: false,
});

let session;

// The loudest frequency of what comes, five times a second.
function listen(stream) {
  const player = new Audio();
  player.srcObject = stream;
  player.play();
  const context = new AudioContext();
  const ear = context.createAnalyser();
  ear.fftSize = 8192;
  context.createMediaStreamSource(stream).connect(ear);
  const loudness = new Float32Array(ear.frequencyBinCount);
  const timer = setInterval(() => {
    ear.getFloatFrequencyData(loudness);
    const loudest = loudness.reduce((best, value, at) => (value > loudness[best] ? at : best), 0);
    if (loudness[loudest] > -60) {
      tell(`heard ${Math.round((loudest * context.sampleRate) / ear.fftSize)}`);
    }
  }, 200);
  stream.getTracks()[0].addEventListener("ended", () => clearInterval(timer));
  session.on("ended", () => clearInterval(timer));
}

const follow = (connection) => connection.addEventListener("track", (event) => listen(new MediaStream([event.track])));

phone.on("registered", () => tell("registered"));
phone.on("registrationFailed", (event) => tell(`error registration ${event.cause}`));
phone.on("newRTCSession", (event) => {
  session = event.session;
  session.on("confirmed", () => tell("confirmed"));
  session.on("ended", (end) => tell(`ended ${end.originator}`));
  session.on("failed", (end) => tell(`failed ${end.cause}`));
  if (event.originator === "remote") {
    session.on("peerconnection", (made) => follow(made.peerconnection));
    session.answer(options);
  } else {
    follow(session.connection);
  }
});
phone.start();

// What the test wants next: a number to call, or "hang up".
async function obey() {
  const wish = await (await fetch("/wish")).text();
  if (wish === "hang up") {
    session.terminate();
  } else if (wish) {
    phone.call(wish, options);
  }
  setTimeout(obey, 100);
}
obey();
