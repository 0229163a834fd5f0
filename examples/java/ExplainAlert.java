import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import sequela.v1.ExplainRequest;
import sequela.v1.Explanation;
import sequela.v1.ExplanationServiceGrpc;
import sequela.v1.ExplanationServiceGrpc.ExplanationServiceBlockingStub;
import sequela.v1.InputTensor;
import sequela.v1.ModelReference;
import sequela.v1.Reason;
import sequela.v1.Sequence;
import sequela.v1.Tensor;

/**
 * Explains an alert over gRPC: a deadline, retries by the service config, and errors that say what to do.
 *
 * <p>Arguments: host:port of the service, the file of the alert, and service_config.json.
 */
public final class ExplainAlert {
    private ExplainAlert() {}

    static ManagedChannel connect(String address, Path serviceConfig) throws IOException {
        Map<String, ?> config = new Gson().<Map<String, ?>>fromJson(Files.readString(serviceConfig), Map.class);
        return NettyChannelBuilder.forTarget(address)
                .usePlaintext() // With TLS: .sslContext(GrpcSslContexts.forClient().trustManager(authority).build())
                .defaultServiceConfig(config)
                .enableRetry()
                .keepAliveTime(60, TimeUnit.SECONDS)
                .maxInboundMessageSize(64 << 20)
                .build();
    }

    static Explanation explain(ManagedChannel channel, ExplainRequest request, long seconds) {
        ExplanationServiceBlockingStub stub = ExplanationServiceGrpc.newBlockingStub(channel);
        // With tokens: .withCallCredentials(...), which adds the metadata `authorization: Bearer TOKEN`.
        return stub.withDeadlineAfter(seconds, TimeUnit.SECONDS).explain(request).getExplanation();
    }

    /** What went wrong, and what to do: the status, the reason, and when another attempt may help. */
    static String describe(StatusRuntimeException error) throws InvalidProtocolBufferException {
        String reason = "";
        String again = "";
        com.google.rpc.Status status = StatusProto.fromThrowable(error);
        for (Any detail : status == null ? List.<Any>of() : status.getDetailsList()) {
            if (detail.is(ErrorInfo.class)) {
                reason = detail.unpack(ErrorInfo.class).getReason();
            } else if (detail.is(RetryInfo.class)) {
                var delay = detail.unpack(RetryInfo.class).getRetryDelay();
                again = String.format(Locale.ROOT, "; try again in %.1f s", delay.getSeconds() + delay.getNanos() / 1e9);
            }
        }
        return error.getStatus().getCode() + " " + reason + ": " + error.getStatus().getDescription() + again;
    }

    static ExplainRequest requestOf(JsonObject alert) {
        Sequence.Builder sequence = Sequence.newBuilder();
        for (var input : alert.getAsJsonObject("inputs").entrySet()) {
            sequence.addInputs(
                    InputTensor.newBuilder().setName(input.getKey()).setTensor(tensor(input.getValue().getAsJsonArray())));
        }
        return ExplainRequest.newBuilder()
                .setModel(ModelReference.newBuilder().setName("account_takeover"))
                .setSequence(sequence)
                .setCallerId(alert.get("id").getAsString())
                .build();
    }

    private static Tensor tensor(JsonArray rows) {
        Tensor.Builder tensor = Tensor.newBuilder();
        tensor.addShape(rows.size()).addShape(rows.get(0).getAsJsonArray().size());
        rows.forEach(row -> row.getAsJsonArray().forEach(value -> tensor.addNumbers(value.getAsDouble())));
        return tensor.build();
    }

    public static void main(String[] arguments) throws Exception {
        JsonObject alert = new Gson().fromJson(Files.readString(Path.of(arguments[1])), JsonObject.class);
        ManagedChannel channel = connect(arguments[0], Path.of(arguments[2]));
        try {
            Explanation explanation = explain(channel, requestOf(alert), 5);
            System.out.printf(
                    Locale.ROOT,
                    "%s: score %.2f%n", explanation.getCallerId(), explanation.getTargets(0).getScore());
            for (Reason reason : explanation.getReasonsList()) {
                System.out.println("  " + reason.getText());
            }
        } catch (StatusRuntimeException error) {
            System.err.println(describe(error));
            System.exit(1);
        } finally {
            channel.shutdownNow();
        }
    }
}
