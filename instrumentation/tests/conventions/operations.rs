//! Each operation with everything there is to say of it, and with as little as can be.

use costflame_instrumentation::{CallSpan, GenAi, Inference, Provider, Usage, WorkSpan};

pub(crate) fn usage() -> Usage {
    let mut usage = Usage::new(1000, 200)
        .cache_read(600)
        .cache_write(100)
        .reasoning(50);
    usage.cache_write_1h = Some(40);
    usage.text_input = Some(950);
    usage.text_output = Some(180);
    usage.audio_input = Some(30);
    usage.audio_output = Some(15);
    usage.audio_cache_read = Some(10);
    usage.image_input = Some(20);
    usage.image_output = Some(5);
    usage
}

fn inference(genai: &GenAi, operation: &str, model: &'static str) -> Inference {
    match operation {
        "chat" => genai.chat(Provider::X_AI, model),
        "generate_content" => genai.generate_content(Provider::X_AI, model),
        "text_completion" => genai.text_completion(Provider::X_AI, model),
        other => panic!("{other} does not infer"),
    }
}

/// Runs an operation with everything known, content captured, failed at its end.
pub(crate) fn whole(genai: &GenAi, span: &str) {
    let (operation, _) = span.split_once(' ').expect("a name of two words");
    match span {
        "embeddings e-small" => {
            let call = genai.embeddings(Provider::X_AI, "e-small");
            let formats = call.dimensions(256).encoding_formats(["float", "base64"]);
            let mut call = formats.server("api.x.ai", 443).start();
            call.response_model("e-small-1").usage(Usage::of_input(12));
            call.fail("429");
        }
        "rerank r-1" => {
            let call = genai.rerank(Provider::X_AI, "r-1").top_n(3);
            let mut call = call.server("api.x.ai", 443).start();
            call.response_id("r").response_model("r-1");
            call.usage(Usage::of_input(12));
            call.fail("429");
        }
        "create_agent helper" => {
            let agent = genai.create_agent(Provider::X_AI, "helper").id("a-1");
            let agent = agent.description("helps").version("2").model("grok-4");
            let agent = agent.system_instructions(|| "[]").server("api.x.ai", 443);
            agent.start().fail("429");
        }
        "invoke_agent helper" => agent(
            genai
                .invoke_remote_agent(Provider::X_AI, "helper")
                .server("api.x.ai", 443),
        ),
        "invoke_agent planner" => agent(genai.invoke_agent("planner")),
        "execute_tool search" => {
            let agent = genai.invoke_agent("planner").start();
            let tool = genai.execute_tool("search").kind("function");
            let tool = tool.call_id("call_1").description("searches");
            let mut tool = tool.arguments(|| "{}").under(&agent.context()).start();
            tool.result(|| "{}");
            tool.fail("timeout");
        }
        "invoke_workflow report" => {
            let workflow = genai.invoke_workflow("report").input_messages(|| "[]");
            let mut workflow = workflow.start();
            workflow.output_messages(|| "[]");
            workflow.fail("timeout");
        }
        "retrieval kb" => {
            let retrieval = genai.retrieval("kb").provider(&Provider::X_AI).top_k(5);
            let retrieval = retrieval.model("e-small").query(|| "q");
            let mut retrieval = retrieval.server("localhost", 6333).start();
            retrieval.documents(|| "[]");
            retrieval.fail("timeout");
        }
        _ => {
            let mut call = inference(genai, operation, "grok-4")
                .server("api.x.ai", 443)
                .streaming()
                .max_tokens(100)
                .temperature(0.5)
                .top_p(0.9)
                .top_k(40)
                .seed(7)
                .choices(2)
                .stop_sequences(["END", "STOP"])
                .frequency_penalty(0.1)
                .presence_penalty(0.2)
                .reasoning_level("high")
                .output_type("json")
                .conversation("c-1")
                .previous_response("r-0")
                .prompt("greeting", Some("3"))
                .openai_service_tier("flex")
                .openai_api("responses")
                .input_messages(|| "[]")
                .system_instructions(|| "[]")
                .tool_definitions(|| "[]")
                .start();
            call.chunk().chunk();
            call.response_id("r-1")
                .response_model("grok-4-0709")
                .finish_reason("stop")
                .finish_reason("length")
                .openai_service_tier("default")
                .openai_system_fingerprint("fp")
                .output_messages(|| "[]")
                .usage(usage());
            call.fail("overloaded");
        }
    }
}

fn agent(agent: costflame_instrumentation::Agent) {
    let agent = agent.id("a-1").description("plans").version("2");
    let agent = agent.model("grok-4").conversation("c-1").data_source("kb");
    let agent = agent.system_instructions(|| "[]").input_messages(|| "[]");
    let mut agent = agent.start();
    let usage = Usage::new(10, 5).cache_read(3).cache_write(1);
    agent.usage(usage).output_messages(|| "[]");
    agent.fail("timeout");
}

/// Runs an operation of which nothing is known: no model, no name, no server, no usage; it succeeds.
pub(crate) fn bare(genai: &GenAi, span: &str) {
    let (operation, _) = span.split_once(' ').expect("a name of two words");
    let called = |mut call: CallSpan| {
        call.finish_reason("stop");
        call.end();
    };
    match span {
        "embeddings e-small" => genai.embeddings(Provider::X_AI, "").start().end(),
        "rerank r-1" => genai.rerank(Provider::X_AI, "").start().end(),
        "create_agent helper" => genai.create_agent(Provider::X_AI, "").start().end(),
        "invoke_agent helper" => genai.invoke_remote_agent(Provider::X_AI, "").start().end(),
        "invoke_agent planner" => genai.invoke_agent("").start().end(),
        // A tool without a name is no tool.
        "execute_tool search" => genai.execute_tool("search").start().end(),
        "invoke_workflow report" => genai.invoke_workflow("").start().end(),
        "retrieval kb" => genai.retrieval("").start().end(),
        _ => called(inference(genai, operation, "").choices(1).start()),
    }
}

/// One inference, one embeddings call, one agent with a call and a tool in it, one workflow, all ended well but the
/// agent's call.
pub(crate) fn run(genai: &GenAi) {
    let mut call = genai
        .chat(Provider::X_AI, "grok-4")
        .server("api.x.ai", 443)
        .start();
    call.response_model("grok-4-0709");
    call.chunk().chunk().chunk();
    call.usage(usage());
    call.end();
    let mut call = genai.embeddings(Provider::X_AI, "e-small").start();
    call.usage(Usage::of_input(12));
    call.end();
    let agent: WorkSpan = genai.invoke_agent("planner").model("grok-4").start();
    let call = genai.chat(Provider::X_AI, "grok-4").under(&agent.context());
    call.start().fail("429");
    let tool = genai.execute_tool("search").kind("function");
    tool.under(&agent.context()).start().end();
    agent.end();
    let elsewhere = genai.invoke_remote_agent(Provider::X_AI, "helper");
    elsewhere.server("api.x.ai", 443).start().end();
    genai.invoke_workflow("report").start().end();
}
