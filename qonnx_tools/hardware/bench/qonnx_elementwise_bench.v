// Streams one layer that makes a code of each code through its element: one a clock.
//
// Reads the images of an exported package and compares every output with the golden one.
// KIND: 0 requantize or batch norm, 1 sum of two tensors, 2 product of two, 3 table, 4 to log codes by thresholds.
// Numbers that differ per channel belong to one after the other of CHANNELS channels of INNER codes each.
// verilator lint_off WIDTH
module qonnx_elementwise_bench #(
    parameter NAME = "layer",
    parameter KIND = 0,
    parameter SIZE = 1, parameter CHANNELS = 1, parameter INNER = 1,
    parameter X_FILE = "", parameter X_BITS = 8, parameter X_SIGNED = 0,
    parameter B_FILE = "", parameter B_BITS = 8, parameter B_SIGNED = 0,
    parameter MULTIPLIER_FILE = "", parameter MULTIPLIER_BITS = 2, parameter MULTIPLIER_COUNT = 1,
    parameter ADDEND_FILE = "", parameter ADDEND_BITS = 2, parameter ADDEND_COUNT = 1,
    parameter SHIFT_FILE = "", parameter SHIFT_BITS = 7, parameter SHIFT_COUNT = 1, parameter MOST_RIGHT = 0, parameter MOST_LEFT = 0,
    parameter LEFT_A = 0, parameter LEFT_B = 0, parameter signed [6:0] SHIFT = 0,
    parameter TABLE_FILE = "", parameter TABLE_BITS = 8, parameter TABLE_SIGNED = 0,
    parameter THRESHOLDS_FILE = "", parameter THRESHOLD_BITS = 8, parameter COUNT = 1,
    parameter T_BITS = 32, parameter ROUNDING = 0,
    parameter signed [33:0] LOWEST = 0, parameter signed [33:0] HIGHEST = 255,
    parameter Y_FILE = "", parameter Y_BITS = 8, parameter Y_SIGNED = 0
) (
    input clk,
    output reg done,
    output reg [31:0] errors
);
    reg [X_BITS-1:0] xs[0:SIZE-1];
    reg [B_BITS-1:0] bs[0:SIZE-1];
    reg signed [MULTIPLIER_BITS-1:0] multipliers[0:MULTIPLIER_COUNT-1];
    reg signed [ADDEND_BITS-1:0] addends[0:ADDEND_COUNT-1];
    reg signed [SHIFT_BITS-1:0] shifts[0:SHIFT_COUNT-1];
    reg [Y_BITS-1:0] ys[0:SIZE-1];
    reg [THRESHOLD_BITS-1:0] reached[0:COUNT-1];
    integer at, inner, channel;

    initial begin
        done = 0; errors = 0; at = 0; inner = 0; channel = 0;
        multipliers[0] = 1; addends[0] = 0; shifts[0] = 0; reached[0] = 0;
        $readmemh(X_FILE, xs);
        $readmemh(Y_FILE, ys);
        if (B_FILE != "") $readmemh(B_FILE, bs);
        if (MULTIPLIER_FILE != "") $readmemh(MULTIPLIER_FILE, multipliers);
        if (ADDEND_FILE != "") $readmemh(ADDEND_FILE, addends);
        if (SHIFT_FILE != "") $readmemh(SHIFT_FILE, shifts);
        if (THRESHOLDS_FILE != "") $readmemh(THRESHOLDS_FILE, reached);
    end

    wire [X_BITS-1:0] x = xs[at];
    wire [B_BITS-1:0] b = bs[at];
    wire signed [X_BITS:0] signed_x = {X_SIGNED ? x[X_BITS-1] : 1'b0, x};
    wire signed [B_BITS:0] signed_b = {B_SIGNED ? b[B_BITS-1] : 1'b0, b};
    wire signed [6:0] shift = shifts[SHIFT_COUNT > 1 ? channel : 0];
    wire [Y_BITS-1:0] y;
    genvar place;
    generate
        if (KIND == 0) begin : affine
            qonnx_batch_norm #(
                .X_BITS(X_BITS + 1), .M_BITS(MULTIPLIER_BITS), .A_BITS(ADDEND_BITS), .T_BITS(T_BITS),
                .MOST_RIGHT(MOST_RIGHT), .MOST_LEFT(MOST_LEFT), .ROUNDING(ROUNDING), .OUT_BITS(Y_BITS),
                .LOWEST(LOWEST), .HIGHEST(HIGHEST)
            ) unit (
                .x(signed_x), .multiplier(multipliers[MULTIPLIER_COUNT > 1 ? channel : 0]),
                .addend(addends[ADDEND_COUNT > 1 ? channel : 0]), .shift(shift), .y(y)
            );
        end else if (KIND == 1) begin : add
            qonnx_add #(
                .A_BITS(X_BITS), .A_SIGNED(X_SIGNED), .B_BITS(B_BITS), .B_SIGNED(B_SIGNED), .LEFT_A(LEFT_A),
                .LEFT_B(LEFT_B), .SHIFT(SHIFT), .ROUNDING(ROUNDING), .OUT_BITS(Y_BITS), .LOWEST(LOWEST),
                .HIGHEST(HIGHEST)
            ) sum (.a(x), .b(b), .y(y));
        end else if (KIND == 2) begin : multiply
            qonnx_batch_norm #(
                .X_BITS(X_BITS + 1), .M_BITS(B_BITS + 1), .A_BITS(2), .T_BITS(T_BITS), .MOST_RIGHT(MOST_RIGHT),
                .MOST_LEFT(MOST_LEFT), .ROUNDING(ROUNDING), .OUT_BITS(Y_BITS), .LOWEST(LOWEST), .HIGHEST(HIGHEST)
            ) unit (.x(signed_x), .multiplier(signed_b), .addend(2'b00), .shift(shift), .y(y));
        end else if (KIND == 3) begin : by_table
            qonnx_lookup #(
                .IN_BITS(X_BITS), .IN_SIGNED(X_SIGNED), .TABLE_BITS(TABLE_BITS), .TABLE_SIGNED(TABLE_SIGNED),
                .Y_BITS(Y_BITS), .FILE(TABLE_FILE)
            ) lookup (.x(x), .y(y));
        end else begin : to_log
            wire [COUNT*THRESHOLD_BITS-1:0] thresholds;
            for (place = 0; place < COUNT; place = place + 1) begin : each
                assign thresholds[place*THRESHOLD_BITS+:THRESHOLD_BITS] = reached[place];
            end
            qonnx_log_requantize #(
                .X_BITS(X_BITS + 1), .COUNT(COUNT), .T_BITS(THRESHOLD_BITS), .OUT_BITS(Y_BITS), .OUT_SIGNED(Y_SIGNED)
            ) requantize (.x(signed_x), .thresholds(thresholds), .y(y));
        end
    endgenerate

    always @(posedge clk)
        if (!done) begin
            if (y !== ys[at]) begin
                if (errors < 10) $display("%0s: output %0d is %h, not %h", NAME, at, y, ys[at]);
                errors <= errors + 1;
            end
            at <= at + 1;
            inner <= inner + 1;
            if (inner == INNER - 1) begin
                inner <= 0;
                channel <= channel == CHANNELS - 1 ? 0 : channel + 1;
            end
            if (at == SIZE - 1) begin
                done <= 1;
                $display("%0s: %0d of %0d outputs differ", NAME, errors + (y !== ys[at]), SIZE);
            end
        end
endmodule
