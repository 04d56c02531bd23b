// The floor at a glance. Everything that comes from outside reaches the page as text nodes only, never as markup.
"use strict";

const TEXTS = {
  en: {
    other: "中文", enter: "Open the floor", enterHint: "The page reads the API with the token of this switch.", token: "Token",
    show: "Show", leave: "Sign out", refused: "The switch does not accept this token.", queues: "Queues", agents: "Agents",
    calls: "Calls in progress", records: "Last calls", waiting: "Waiting", longest: "Longest wait", available: "Available",
    signedIn: "Signed in", served: "Served today", lost: "Abandoned today", noCalls: "No call in progress.",
    noRecords: "No call has ended yet.", caller: "Caller", called: "Called", where: "Where", state: "State", since: "Since",
    wait: "Wait", agent: "Agent", started: "Started", queue: "Queue", outcome: "Outcome", talk: "Talk", recording: "Recording",
    play: "Play", hangUp: "Hang up", sure: "Hang up this call?", change: "Change state …", more: "One minute more", call: "Call",
    whom: "Which number is agent {agent} to call?", live: "live", lost_link: "connecting …", failed: "did not work",
    states: { offline: "offline", available: "available", reserved: "reserved", ringing: "ringing", talking: "talking", hold: "on hold",
      consult: "consulting",      acw: "after-call work", not_ready: "not ready", offered: "arriving", ivr: "in the menu", waiting: "waiting", presented: "presented",
      parked: "parked" },
    outcomes: { answered: "answered", self_service: "self-service", abandoned: "abandoned", voicemail: "voicemail",
      callback: "callback", refused: "refused", failed: "failed", busy: "busy", no_answer: "no answer" },
  },
  zh: {
    other: "English", enter: "打开现场", enterHint: "本页用此交换机的令牌读取接口。", token: "令牌", show: "显示", leave: "退出",
    refused: "交换机不接受此令牌。", queues: "队列", agents: "坐席", calls: "进行中的通话", records: "最近通话", waiting: "等待",
    longest: "最长等待", available: "空闲", signedIn: "已签入", served: "今日接听", lost: "今日放弃", noCalls: "没有进行中的通话。",
    noRecords: "还没有结束的通话。", caller: "主叫", called: "被叫", where: "位置", state: "状态", since: "时长", wait: "等待",
    agent: "坐席", started: "开始", queue: "队列", outcome: "结果", talk: "通话", recording: "录音", play: "播放", hangUp: "挂断",
    change: "更改状态……", more: "延长一分钟", call: "呼叫", whom: "坐席 {agent} 要呼叫哪个号码？",
    sure: "要挂断此通话吗？", live: "实时", lost_link: "连接中……", failed: "未成功",
    states: { offline: "离线", available: "空闲", reserved: "已预留", ringing: "振铃", talking: "通话中", hold: "保持", consult: "咨询中", acw: "话后处理",
      not_ready: "示忙", offered: "接入中", ivr: "语音菜单", waiting: "等待", presented: "分配中", parked: "停放" },
    outcomes: { answered: "已接听", self_service: "自助", abandoned: "放弃", voicemail: "留言", callback: "回呼", refused: "拒绝",
      failed: "失败", busy: "忙", no_answer: "无应答" },
  },
};
const TINT = { available: "good", talking: "busy", ringing: "warn", presented: "warn", waiting: "warn", reserved: "warn", parked: "warn", hold: "busy", consult: "busy",
  acw: "warn", not_ready: "off", offline: "off" };
const PERIOD_MS = 1000;

const byId = (id) => document.getElementById(id);
const keep = (name, value) => { try { sessionStorage.setItem(name, value); } catch { /* a browser without storage forgets */ } };
const kept = (name) => { try { return sessionStorage.getItem(name); } catch { return null; } };

let language = kept("language") || ((navigator.language || "en").startsWith("zh") ? "zh" : "en");
let token = "";
let stream = null;
let lastId = "";
let stale = { floor: true, records: true };
let floor = { queues: [], agents: [], calls: [], records: [], reasons: [] };
const text = () => TEXTS[language];

// An element with its children; strings become text nodes.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child ?? ""))));
  return element;
}

const two = (number) => String(number).padStart(2, "0");
function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  return (hours ? hours + ":" + two(Math.floor(seconds / 60) % 60) : Math.floor(seconds / 60)) + ":" + two(seconds % 60);
}
const age = (instant) => (instant ? span(Date.now() - Date.parse(instant)) : "");
const clock = (instant) => new Date(instant).toLocaleTimeString(language, { hour12: false });
const tag = (state) => make("span", { class: "tag " + (TINT[state] || "") }, text().states[state] || state);

async function api(path, options = {}) {
  const headers = { Authorization: "Bearer " + token, ...(options.headers || {}) };
  const response = await fetch("/api/v1/" + path, { ...options, headers });
  if (response.status === 401) { signOut(text().refused); throw new Error("401"); }
  if (!response.ok) {
    // What a refusal says is for people.
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || problem.title || String(response.status));
  }
  return response;
}
const list = async (path) => (await (await api(path)).json()).items;

function table(target, heads, rows, none) {
  if (!rows.length) return target.replaceChildren(make("p", { class: "none" }, none));
  const head = make("tr", {}, ...heads.map((name) => make("th", {}, name)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
  target.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

function drawQueues() {
  const t = text();
  byId("queues").replaceChildren(...floor.queues.map((queue) => {
    const figure = (name, value, tint = "") => make("div", {}, make("dt", {}, name), make("dd", { class: tint }, value));
    return make("div", { class: "card" }, make("h3", {}, queue.queue), make("dl", { class: "figures" },
      figure(t.waiting, queue.waiting, queue.waiting ? "warn" : ""), figure(t.longest, span(queue.longest_wait_ms)),
      figure(t.available, queue.available, queue.available ? "good" : ""),
      figure(t.signedIn, queue.signed_in.length + " / " + queue.members.length),
      figure(t.served, queue.served_today), figure(t.lost, queue.abandoned_today)));
  }));
}

// What an agent can be asked to become: the state, and why or for how long.
function wishes(agent) {
  const t = text();
  const reasons = floor.reasons.length ? floor.reasons.map((line) => line.reason) : [null];
  const wish = (label, body) => make("option", { value: JSON.stringify(body) }, label);
  const handling = (agent.appearances || [agent]).some((one) => ["talking", "hold", "consult", "acw"].includes(one.state));
  return [make("option", { value: "" }, t.change), wish(t.states.available, { state: "available" }),
    ...reasons.map((reason) => wish(t.states.not_ready + (reason ? " · " + reason : ""), { state: "not_ready", reason })),
    ...(handling ? [wish(t.more, { state: "acw", extend_s: 60 })] : []), wish(t.states.offline, { state: "offline" })];
}

function drawAgents() {
  // Somebody is choosing: what is chosen from must not be drawn anew.
  if (byId("agents").contains(document.activeElement) && document.activeElement.tagName === "SELECT") return;
  byId("agents").replaceChildren(...floor.agents.map((agent) => {
    const told = [age(agent.since), agent.reason, agent.phone && "☎ " + agent.phone].filter(Boolean).join(" · ");
    // Who takes several calls at once shows each.
    const states = agent.appearances ? agent.appearances.map((one) => one.state) : [agent.state];
    return make("div", { class: "card", "data-agent": agent.agent },
      make("h3", {}, make("span", {}, agent.agent), ...states.map(tag)), make("p", {}, agent.state === "offline" ? "" : told),
      make("p", { class: "acts" },
        make("select", { "aria-label": text().change, onchange: (event) => change(agent.agent, event.target) }, ...wishes(agent)),
        make("button", { type: "button", onclick: () => place(agent.agent) }, "☎ " + text().call)));
  }));
}

function drawCalls() {
  const t = text();
  byId("callCount").textContent = floor.calls.length || "";
  const rows = floor.calls.slice(-200).reverse().map((call) => [call.caller, call.called,
    call.queue || [call.flow, call.step].filter(Boolean).join(" · "), tag(call.state), age(call.since), span(call.wait_ms),
    make("span", {}, call.agent || "", ...call.presented.slice(-1).map((one) => make("small", { title: one.why }, one.why))), make("button", { type: "button", onclick: () => hangUp(call.call_id) }, t.hangUp)]);
  table(byId("calls"), [t.caller, t.called, t.where, t.state, t.since, t.wait, t.agent, ""], rows, t.noCalls);
}

function drawRecords() {
  const t = text();
  const playable = (record) => record.recording && ["complete", "partial"].includes(record.recording.state);
  const rows = floor.records.map((record) => [clock(record.started), record.caller, record.called, record.queue || "",
    record.segments.filter((segment) => segment.answered).map((segment) => segment.agent).join(", "),
    t.outcomes[record.disposition] || record.disposition, span(record.wait_ms), span(record.talk_ms + record.hold_ms),
    playable(record) ? make("button", { type: "button", onclick: () => play(record.call_id) }, "▶ " + t.play) : ""]);
  table(byId("records"), [t.started, t.caller, t.called, t.queue, t.agent, t.outcome, t.wait, t.talk, t.recording], rows, t.noRecords);
}

function draw() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text()[element.dataset.text];
  byId("language").textContent = text().other;
  byId("leave").textContent = text().leave;
  if (byId("floor").hidden) return;
  drawQueues(); drawAgents(); drawCalls(); drawRecords();
}

async function hangUp(call) {
  if (!window.confirm(text().sure)) return;
  try { await api("calls/" + call, { method: "DELETE" }); } catch (error) { say(text().failed + " (" + error.message + ")", "bad"); }
}

async function send(path, method, body) {
  const headers = { "Content-Type": "application/json" };
  try { await api(path, { method, headers, body: JSON.stringify(body) }); } catch (error) { say(text().failed + " (" + error.message + ")", "bad"); }
  stale.floor = true;
}

async function change(agent, choice) {
  const wish = choice.value;
  choice.blur();
  if (wish) await send("agents/" + agent + "/state", "PUT", JSON.parse(wish));
}

async function place(agent) {
  const to = window.prompt(text().whom.replace("{agent}", agent));
  if (to && to.trim()) await send("calls", "POST", { user: agent, to: to.trim() });
}

async function play(call) {
  const player = byId("player");
  try {
    const sound = await (await api("records/" + call + "/recording")).blob();
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(sound);
    player.hidden = false;
    await player.play();
  } catch { say(text().failed, "bad"); }
}

function say(words, tint) {
  byId("state").textContent = words;
  byId("state").className = "pill " + tint;
}

// Lists are loaded again at most once a second, however many events come.
async function refresh() {
  if (!token) return;
  const wanted = stale;
  stale = { floor: false, records: false };
  try {
    if (wanted.floor) {
      const [queues, agents, calls, reasons] = await Promise.all(["queues", "agents", "calls", "reasons"].map(list));
      Object.assign(floor, { queues, agents, calls, reasons });
    }
    if (wanted.records) floor.records = await list("records?limit=25");
    // What waits grows older without any event.
    stale.floor ||= floor.calls.length > 0;
  } catch {
    stale = { floor: true, records: true };
  }
  if (token) draw();
}

function told(event) {
  if (event.id) lastId = event.id;
  stale.floor = true;
  if (event.name === "restart") { lastId = ""; stale.records = true; return; }
  // The database is a moment behind the journal.
  if (/call_ended|acw_ended|recording_closed|leg_ended/.test(event.data)) window.setTimeout(() => { stale.records = true; }, 600);
}

// EventSource cannot send the token, so the stream is read by hand.
async function follow(aborted) {
  while (!aborted.signal.aborted) {
    try {
      const headers = lastId ? { "Last-Event-ID": lastId } : {};
      const response = await api("events", { headers, signal: aborted.signal });
      say(text().live, "good");
      stale = { floor: true, records: true };
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const field = (name) => block.split("\n").filter((line) => line.startsWith(name + ":")).map((line) => line.slice(name.length + 1).trim()).join("\n");
          told({ id: field("id"), name: field("event"), data: field("data") });
        }
      }
    } catch { /* told below: the link is lost, and is tried again */ }
    if (aborted.signal.aborted) return;
    say(text().lost_link, "warn");
    await new Promise((resolve) => window.setTimeout(resolve, PERIOD_MS));
  }
}

function signIn(given) {
  token = given;
  keep("token", token);
  byId("enter").hidden = true;
  byId("floor").hidden = byId("leave").hidden = false;
  byId("refused").textContent = "";
  stale = { floor: true, records: true };
  stream = new AbortController();
  follow(stream);
  refresh();
}

function signOut(why) {
  token = "";
  keep("token", "");
  if (stream) stream.abort();
  byId("enter").hidden = false;
  byId("floor").hidden = byId("leave").hidden = true;
  byId("player").hidden = true;
  byId("refused").textContent = why || "";
  say("", "");
}

byId("enter").addEventListener("submit", (event) => { event.preventDefault(); signIn(byId("token").value.trim()); });
byId("leave").addEventListener("click", () => signOut(""));
byId("language").addEventListener("click", () => { language = language === "zh" ? "en" : "zh"; keep("language", language); draw(); });
window.setInterval(refresh, PERIOD_MS);
draw();
const known = kept("token") || byId("token").value;
if (known) signIn(known); else byId("enter").hidden = false;
